"""`voice_in_trunks()`, `voice_in_trunk_groups()` and `shared_capacity_groups()`: configurations, groups and routes of numbers."""

import pytest
from didww.exceptions import DidwwApiError
from didww.query_params import QueryParams
from didww.resources.configuration.pstn import PstnConfiguration
from didww.resources.configuration.sip import SipConfiguration
from didww.resources.voice_in_trunk import VoiceInTrunk
from didww.resources.voice_in_trunk_group import VoiceInTrunkGroup


@pytest.fixture
def trunks(client):
    return client.voice_in_trunks()


def trunk(name, configuration):
    one = VoiceInTrunk()
    one.name = name
    one.configuration = configuration
    return one


def pstn(name, number="12125550101"):
    configuration = PstnConfiguration()
    configuration.dst = number
    return trunk(name, configuration)


def test_a_trunk_to_a_number_is_created_read_and_deleted(trunks):
    created = trunks.create(pstn("Forward")).data
    assert (created.priority, created.weight, created.cli_format.value) == (1, 65535, "e164")
    assert created.configuration.dst == "12125550101"
    trunks.delete(created.id)
    with pytest.raises(DidwwApiError):
        trunks.find(created.id)


def test_a_sip_trunk_has_the_defaults_of_the_service(trunks):
    sent = SipConfiguration()
    sent.host = "sip.example.com"
    configuration = trunks.create(trunk("Desk", sent)).data.configuration
    assert (configuration.host, configuration.port) == ("sip.example.com", None)
    assert [int(codec.value) for codec in configuration.codec_ids] == [9, 10, 8, 7, 6]
    assert configuration.sst_min_timer == 600


def test_a_group_has_its_trunks(client, trunks):
    members = [trunks.create(pstn(name)).data for name in ("One", "Two")]
    group = VoiceInTrunkGroup()
    group.name = "Office"
    group.voice_in_trunks = members
    created = client.voice_in_trunk_groups().create(group).data
    read = client.voice_in_trunk_groups().find(created.id, QueryParams().include("voice_in_trunks")).data
    assert sorted(one.name for one in read.voice_in_trunks) == ["One", "Two"]


def test_a_number_is_routed_to_a_trunk(client, account, trunks):
    created = trunks.create(pstn("Forward")).data
    number = client.dids().find(account.add_did("37061498290")).data
    number.voice_in_trunk = created
    client.dids().update(number)
    read = client.dids().find(number.id, QueryParams().include("voice_in_trunk")).data
    assert read.voice_in_trunk.id == created.id
