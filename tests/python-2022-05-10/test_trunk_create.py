"""`voice_out_trunks().create`: the flat form of 2022-05-10, and the SDK's resulting object."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from didww.enums import DefaultDstAction, MediaEncryptionMode, OnCliMismatchAction, VoiceOutTrunkStatus

from conftest import new_trunk


def test_a_trunk_has_the_attributes_of_this_version_in_their_order(create):
    assert list(create().attributes) == [
        "allowed_sip_ips",
        "allowed_rtp_ips",
        "allow_any_did_as_cli",
        "status",
        "on_cli_mismatch_action",
        "name",
        "capacity_limit",
        "username",
        "password",
        "created_at",
        "threshold_reached",
        "threshold_amount",
        "media_encryption_mode",
        "default_dst_action",
        "dst_prefixes",
        "force_symmetric_rtp",
        "rtp_ping",
        "callback_url",
    ]


def test_the_generated_credentials_have_the_length_of_this_version(create):
    created = create()
    assert re.fullmatch("[a-z0-9]{10}", created.username)
    assert re.fullmatch("[a-z0-9]{10}", created.password)
    assert created.username != created.password


def test_two_trunks_have_different_credentials(create):
    one, other = create("A"), create("B")
    assert len({one.username, one.password, other.username, other.password}) == 4


@pytest.mark.parametrize(
    ("attribute", "default"),
    [
        ("allowed_rtp_ips", None),
        ("allow_any_did_as_cli", False),
        ("status", VoiceOutTrunkStatus.ACTIVE),
        ("capacity_limit", None),
        ("threshold_reached", False),
        ("threshold_amount", None),
        ("media_encryption_mode", MediaEncryptionMode.DISABLED),
        ("default_dst_action", DefaultDstAction.ALLOW_ALL),
        ("dst_prefixes", []),
        ("force_symmetric_rtp", False),
        ("rtp_ping", False),
        ("callback_url", None),
    ],
)
def test_what_is_not_sent_gets_its_default(create, attribute, default):
    assert getattr(create(), attribute) == default


def test_every_writable_attribute_comes_back_as_it_was_sent(create):
    sent = {
        "allowed_sip_ips": ["203.0.113.7/32", "198.51.100.0/24"],
        "on_cli_mismatch_action": OnCliMismatchAction.SEND_ORIGINAL_CLI,
        "allowed_rtp_ips": ["198.51.100.0/24"],
        "allow_any_did_as_cli": True,
        "status": VoiceOutTrunkStatus.BLOCKED,
        "capacity_limit": 12,
        "threshold_amount": "250.5",
        "media_encryption_mode": MediaEncryptionMode.SRTP_SDES,
        "default_dst_action": DefaultDstAction.REJECT_ALL,
        "dst_prefixes": ["370", "1202"],
        "force_symmetric_rtp": True,
        "rtp_ping": True,
        "callback_url": "https://example.com/trunk?x=1",
    }
    created = create("Everything", **sent)
    assert created.name == "Everything"
    assert {name: getattr(created, name) for name in sent} == sent
    # The list above is complete.
    assert created._writable_attrs == sent.keys() | {"name"}


def test_what_was_created_is_found_again(create, trunks):
    created = create("Again")
    found = trunks.find(created.id).data
    assert found.attributes == created.attributes
    assert found.type == "voice_out_trunks"


def test_the_answer_names_the_version_that_the_sdk_asked_for(trunks):
    assert trunks.create(new_trunk("Main")).meta == {"api_version": "2022-05-10"}


def test_the_creation_time_is_a_datetime_of_now_in_utc(create):
    created_at = create().created_at
    assert created_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - created_at) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.5", "203.0.113.5/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::5", "2001:db8::5/128"),
        ("203.0.113.7/24", "203.0.113.0/24"),
    ],
)
def test_an_address_becomes_a_subnet(create, sent, kept):
    created = create(allowed_sip_ips=[sent], allowed_rtp_ips=[sent])
    assert (created.allowed_sip_ips, created.allowed_rtp_ips) == ([kept], [kept])


def test_addresses_keep_their_order(create):
    sent = ["203.0.113.9/32", "198.51.100.1/32", "203.0.113.1/32"]
    assert create(allowed_sip_ips=sent).allowed_sip_ips == sent


def test_credentials_of_ones_own_making_are_not_sent(create, trunks):
    trunk = new_trunk("Main", username="chosen", password="chosen-too")
    assert not {"username", "password"} & trunk.to_jsonapi()["attributes"].keys(), "this is what the SDK does"
    created = trunks.create(trunk).data
    assert "chosen" not in created.username + created.password


# The SDK leaves out a member that is None, so None stands for an absent member here.
@pytest.mark.parametrize("attribute", ["name", "on_cli_mismatch_action", "allowed_sip_ips"])
def test_a_required_attribute_is_asked_for(trunks, refused_by_rule, attribute):
    trunk = new_trunk("Main", **{attribute: None})
    assert refused_by_rule(trunks.create, trunk) == (f"{attribute} - can't be blank", f"/data/attributes/{attribute}")
    assert trunks.list().data == []


# The pages of this version state 0 to 60 entries; those of 2026-04-16 require one.
def test_the_list_of_addresses_may_be_empty_and_has_at_most_60(create, trunks, refused_by_rule):
    assert create(allowed_sip_ips=[]).allowed_sip_ips == []
    addresses = [f"203.0.113.{host}/32" for host in range(61)]
    assert create("Full", allowed_sip_ips=addresses[:60]).allowed_sip_ips == addresses[:60]
    pointer = "/data/attributes/allowed_sip_ips"
    expected = ("allowed_sip_ips - is too long (maximum is 60 items)", pointer)
    assert refused_by_rule(trunks.create, new_trunk("Too full", allowed_sip_ips=addresses)) == expected


@pytest.mark.parametrize("attribute", ["allowed_sip_ips", "allowed_rtp_ips"])
@pytest.mark.parametrize("sent", ["nonsense", "203.0.113.256", "203.0.113.0/33"])
def test_what_is_no_address_is_refused(trunks, refused_by_rule, attribute, sent):
    trunk = new_trunk("Main", **{attribute: [sent]})
    assert refused_by_rule(trunks.create, trunk) == (f"{attribute} - is invalid", f"/data/attributes/{attribute}")


def test_a_name_is_used_once(create, trunks, refused_by_rule):
    create("Taken")
    assert refused_by_rule(trunks.create, new_trunk("Taken")) == (
        "name - has already been taken",
        "/data/attributes/name",
    )


# The least capacity rose to 1 with 2026-04-16.
def test_a_capacity_of_zero_is_accepted_in_this_version(create):
    assert create(capacity_limit=0).capacity_limit == 0


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("capacity_limit", 32768, "must be less than or equal to 32767"),
        ("capacity_limit", -1, "must be greater than or equal to 0"),
        ("threshold_amount", "100000.1", "must be less than or equal to 100000"),
        ("threshold_amount", "-0.1", "must be greater than or equal to 0"),
        ("status", "paused", "is not included in the list"),
        ("media_encryption_mode", "rot13", "is not included in the list"),
        ("default_dst_action", "allow_some", "is not included in the list"),
        ("on_cli_mismatch_action", OnCliMismatchAction.REPLACE_CLI, "is not included in the list"),
        ("on_cli_mismatch_action", OnCliMismatchAction.RANDOMIZE_CLI, "is not included in the list"),
        ("callback_url", "ftp://example.com/a", "is invalid"),
        ("dst_prefixes", ["37O"], "is invalid"),
    ],
)
def test_a_value_beyond_its_limits_is_refused(trunks, refused_by_rule, attribute, value, message):
    trunk = new_trunk("Main", **{attribute: value})
    assert refused_by_rule(trunks.create, trunk) == (f"{attribute} - {message}", f"/data/attributes/{attribute}")


def test_every_broken_rule_is_said_at_once(trunks, refusal):
    error = refusal(trunks.create, new_trunk("Main", capacity_limit=32768, threshold_amount="100000.1"))
    assert error.status_code == 422
    assert {one["source"]["pointer"] for one in error.errors} == {
        "/data/attributes/capacity_limit",
        "/data/attributes/threshold_amount",
    }
    assert "capacity_limit - must be" in str(error) and "threshold_amount - must be" in str(error)
