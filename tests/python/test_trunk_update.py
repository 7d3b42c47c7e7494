"""`voice_out_trunks().update` and `delete`: the SDK sends changed members, of loaded and of new objects."""

import pytest
from didww.enums import VoiceOutTrunkStatus
from didww.resources.authentication_method import (
    CredentialsAndIpAuthenticationMethod,
    IpOnlyAuthenticationMethod,
    TwilioAuthenticationMethod,
)
from didww.resources.voice_out_trunk import VoiceOutTrunk

from conftest import credentials

TWILIO = TwilioAuthenticationMethod(twilio_account_sid="AC22222222222222222222222222222222")


@pytest.fixture
def trunk(create):
    return create("Main", capacity_limit=5, dst_prefixes=["370"], callback_url="https://example.com/a")


def credentials_of(trunk):
    method = trunk.authentication_method
    return method.username, method.password


def test_one_attribute_changes_and_no_other(trunk, trunks):
    before = dict(trunk.attributes)
    trunk.name = "Renamed"
    assert trunk.to_jsonapi(dirty_only=True)["attributes"] == {"name": "Renamed"}
    updated = trunks.update(trunk).data
    assert dict(updated.attributes) == {**before, "name": "Renamed"}


def test_an_update_answers_with_the_version_and_the_whole_trunk(trunk, trunks):
    trunk.rtp_ping = True
    answer = trunks.update(trunk)
    assert answer.meta["api_version"] == "2026-04-16"
    assert answer.data.attributes.keys() == trunk.attributes.keys()


def test_a_trunk_is_updated_by_its_id_without_being_loaded(trunk, trunks):
    stub = VoiceOutTrunk.build(trunk.id)
    stub.capacity_limit = 9
    updated = trunks.update(stub).data
    assert (updated.capacity_limit, updated.name) == (9, "Main")


def test_an_update_of_nothing_changes_nothing(trunk, trunks):
    assert trunks.update(trunk).data.attributes == trunk.attributes


def test_every_attribute_of_a_loaded_trunk_can_be_sent_back(trunk, trunks):
    copy = VoiceOutTrunk.build(trunk.id, **trunk.attributes)
    assert trunks.update(copy).data.attributes == trunk.attributes


def test_a_list_that_is_changed_in_place_is_sent(trunk, trunks):
    trunk.dst_prefixes.append("1202")
    assert trunks.update(trunk).data.dst_prefixes == ["370", "1202"]


@pytest.mark.parametrize(
    "attribute",
    [
        "capacity_limit",
        "callback_url",
        "allowed_rtp_ips",
        "external_reference_id",
    ],
)
def test_an_explicit_null_clears(create, trunks, attribute):
    trunk = create(
        capacity_limit=5,
        callback_url="https://example.com/a",
        allowed_rtp_ips=["198.51.100.1"],
        external_reference_id="crm-17",
    )
    assert getattr(trunk, attribute) is not None
    setattr(trunk, attribute, None)
    assert getattr(trunks.update(trunk).data, attribute) is None
    assert getattr(trunks.find(trunk.id).data, attribute) is None


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("threshold_amount", "is not a number"),
        ("rtp_timeout", "is not a number"),
        ("dst_prefixes", "can't be blank"),
        ("status", "can't be blank"),
    ],
)
def test_an_explicit_null_is_refused_where_the_service_has_none(trunk, trunks, refused_by_rule, attribute, message):
    setattr(trunk, attribute, None)
    expected = (f"{attribute} - {message}", f"/data/attributes/{attribute}")
    assert refused_by_rule(trunks.update, trunk) == expected


def test_a_null_name_is_refused(trunk, trunks, refused_by_rule):
    trunk.name = None
    assert refused_by_rule(trunks.update, trunk) == ("name - can't be blank", "/data/attributes/name")


def test_a_name_of_another_trunk_is_refused_and_its_own_is_not(trunk, create, trunks, refused_by_rule):
    other = create("Other")
    other.name = "Main"
    assert refused_by_rule(trunks.update, other) == ("name - has already been taken", "/data/attributes/name")
    trunk.name = "Main"
    assert trunks.update(trunk).data.name == "Main"


def test_a_trunk_is_blocked_by_hand_and_unblocked(trunk, trunks):
    trunk.status = VoiceOutTrunkStatus.BLOCKED
    trunk = trunks.update(trunk).data
    assert trunk.is_blocked and not trunk.threshold_reached
    trunk.status = VoiceOutTrunkStatus.ACTIVE
    assert trunks.update(trunk).data.is_active


def test_a_loaded_method_is_sent_back_with_its_credentials_and_they_stay(trunk, trunks):
    loaded = trunks.find(trunk.id).data
    method = loaded.authentication_method
    method.tech_prefix = "99"
    loaded.authentication_method = method
    sent = loaded.to_jsonapi(dirty_only=True)["attributes"]["authentication_method"]["attributes"]
    assert {"username", "password"} <= sent.keys(), "this is what the SDK does"
    updated = trunks.update(loaded).data
    assert updated.authentication_method.tech_prefix == "99"
    assert credentials_of(updated) == credentials_of(trunk)


def test_credentials_of_ones_own_making_are_ignored(trunk, trunks):
    trunk_before = credentials_of(trunk)
    trunk.authentication_method = credentials("203.0.113.9", username="chosen", password="chosen-too")
    updated = trunks.update(trunk).data
    assert updated.authentication_method.allowed_sip_ips == ["203.0.113.9/32"]
    assert credentials_of(updated) == trunk_before


def test_a_rewritten_method_replaces_the_old_one_whole(trunk, trunks):
    trunk.authentication_method = credentials("203.0.113.9", tech_prefix="7")
    trunk = trunks.update(trunk).data
    trunk.authentication_method = credentials("203.0.113.10")
    method = trunks.update(trunk).data.authentication_method
    assert (method.allowed_sip_ips, method.tech_prefix) == (["203.0.113.10/32"], None)


def test_there_and_back_again_gives_new_credentials(trunk, trunks):
    before = credentials_of(trunk)
    trunk.authentication_method = TWILIO
    trunk = trunks.update(trunk).data
    assert isinstance(trunk.authentication_method, TwilioAuthenticationMethod)
    trunk.authentication_method = credentials("203.0.113.9")
    after = trunks.update(trunk).data
    assert isinstance(after.authentication_method, CredentialsAndIpAuthenticationMethod)
    assert not set(before) & set(credentials_of(after))


def test_a_trunk_cannot_become_ip_only(trunk, trunks, refused_by_rule):
    trunk.authentication_method = IpOnlyAuthenticationMethod(allowed_sip_ips=["203.0.113.1"])
    assert refused_by_rule(trunks.update, trunk) == (
        "type - is not allowed for update",
        "/data/attributes/authentication_method/type",
    )


def test_an_ip_only_trunk_can_leave_by_itself(account, trunk, trunks):
    account.make_ip_only(trunk.id, "203.0.113.1")
    loaded = trunks.find(trunk.id).data
    loaded.authentication_method = TWILIO
    assert isinstance(trunks.update(loaded).data.authentication_method, TwilioAuthenticationMethod)


def test_a_refused_update_changes_nothing(trunk, trunks, refusal):
    before = dict(trunk.attributes)
    trunk.name = "Renamed"
    trunk.rtp_timeout = 29
    refusal(trunks.update, trunk)
    assert dict(trunks.find(trunk.id).data.attributes) == before


def test_a_deleted_trunk_is_gone_and_its_name_is_free(trunk, create, trunks, refusal):
    assert trunks.delete(trunk.id) is None
    assert refusal(trunks.find, trunk.id).status_code == 404
    assert refusal(trunks.delete, trunk.id).status_code == 404
    assert refusal(trunks.update, trunk).status_code == 404
    assert create("Main").id != trunk.id
