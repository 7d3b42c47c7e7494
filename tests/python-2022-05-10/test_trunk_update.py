"""`voice_out_trunks().update` and `delete`: the SDK sends changed members, of loaded and of new objects."""

import pytest
from didww.enums import MediaEncryptionMode, VoiceOutTrunkStatus
from didww.resources.voice_out_trunk import VoiceOutTrunk


@pytest.fixture
def trunk(create):
    return create("Main", capacity_limit=5, dst_prefixes=["370"], callback_url="https://example.com/a")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("name", "Renamed"),
        ("allowed_sip_ips", ["198.51.100.7/32", "2001:db8::/64"]),
        ("allowed_rtp_ips", ["198.51.100.8/32"]),
        ("capacity_limit", 9),
        ("threshold_amount", "0.5"),
        ("media_encryption_mode", MediaEncryptionMode.SRTP_DTLS),
        ("dst_prefixes", []),
        ("rtp_ping", True),
        ("callback_url", "http://example.com/b"),
    ],
)
def test_one_attribute_changes_and_no_other(trunk, trunks, attribute, value):
    before = dict(trunk.attributes)
    setattr(trunk, attribute, value)
    assert trunk.to_jsonapi(dirty_only=True)["attributes"] == {attribute: value}
    answer = trunks.update(trunk)
    assert answer.meta == {"api_version": "2022-05-10"}
    assert dict(answer.data.attributes) == {**before, attribute: value}
    assert trunks.find(trunk.id).data.attributes == answer.data.attributes


def test_a_trunk_is_updated_by_its_id_without_being_loaded(trunk, trunks):
    stub = VoiceOutTrunk.build(trunk.id)
    stub.capacity_limit = 9
    updated = trunks.update(stub).data
    assert (updated.capacity_limit, updated.name) == (9, "Main")


def test_an_update_of_nothing_changes_nothing(trunk, trunks):
    assert trunks.update(trunk).data.attributes == trunk.attributes


def test_addresses_that_are_changed_in_place_are_sent_and_the_credentials_stay(trunk, trunks):
    trunk.allowed_sip_ips.append("198.51.100.7")
    updated = trunks.update(trunk).data
    assert updated.allowed_sip_ips == ["203.0.113.0/24", "198.51.100.7/32"]
    assert (updated.username, updated.password) == (trunk.username, trunk.password)


def test_what_the_sdk_takes_for_read_only_is_not_sent(trunk, trunks):
    kept = trunk.username, trunk.password, trunk.threshold_reached
    trunk.username, trunk.password, trunk.threshold_reached = "chosen", "chosen-too", True
    trunk.name = "Renamed"
    updated = trunks.update(trunk).data
    assert updated.name == "Renamed"
    assert (updated.username, updated.password, updated.threshold_reached) == kept


# A threshold can be cleared before 2026-04-16 only.
@pytest.mark.parametrize("attribute", ["capacity_limit", "callback_url", "allowed_rtp_ips", "threshold_amount"])
def test_an_explicit_null_clears(create, trunks, attribute):
    trunk = create(
        capacity_limit=5,
        callback_url="https://example.com/a",
        allowed_rtp_ips=["198.51.100.1"],
        threshold_amount="250.5",
    )
    assert getattr(trunk, attribute) is not None
    setattr(trunk, attribute, None)
    assert getattr(trunks.update(trunk).data, attribute) is None
    assert getattr(trunks.find(trunk.id).data, attribute) is None


# Before 2026-04-16 only.
def test_null_prefixes_are_none(trunk, trunks):
    trunk.dst_prefixes = None
    assert trunks.update(trunk).data.dst_prefixes == []


@pytest.mark.parametrize("attribute", ["name", "allowed_sip_ips", "status"])
def test_an_explicit_null_is_refused_where_the_service_has_none(trunk, trunks, refused_by_rule, attribute):
    setattr(trunk, attribute, None)
    expected = (f"{attribute} - can't be blank", f"/data/attributes/{attribute}")
    assert refused_by_rule(trunks.update, trunk) == expected


def test_a_name_of_another_trunk_is_refused_and_its_own_is_not(trunk, create, trunks, refused_by_rule):
    other = create("Other")
    other.name = "Main"
    assert refused_by_rule(trunks.update, other) == ("name - has already been taken", "/data/attributes/name")
    trunk.name = "Main"
    assert trunks.update(trunk).data.name == "Main"


def test_a_trunk_is_blocked_by_hand_and_unblocked(trunk, trunks):
    trunk.status = VoiceOutTrunkStatus.BLOCKED
    trunk = trunks.update(trunk).data
    assert trunk.status == VoiceOutTrunkStatus.BLOCKED and not trunk.threshold_reached
    trunk.status = VoiceOutTrunkStatus.ACTIVE
    assert trunks.update(trunk).data.status == VoiceOutTrunkStatus.ACTIVE


def test_a_refused_update_changes_nothing(trunk, trunks, refusal):
    before = dict(trunk.attributes)
    trunk.name = "Renamed"
    trunk.capacity_limit = 32768
    assert refusal(trunks.update, trunk).status_code == 422
    assert dict(trunks.find(trunk.id).data.attributes) == before


def test_a_deleted_trunk_is_gone_and_its_name_is_free(trunk, create, trunks, refusal):
    assert trunks.delete(trunk.id) is None
    assert refusal(trunks.find, trunk.id).status_code == 404
    assert refusal(trunks.delete, trunk.id).status_code == 404
    assert refusal(trunks.update, trunk).status_code == 404
    assert create("Main").id != trunk.id
