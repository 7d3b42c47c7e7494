"""`voice_out_trunks().create`: the request of a program, and the SDK's resulting object."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from didww.enums import DefaultDstAction, MediaEncryptionMode, OnCliMismatchAction, VoiceOutTrunkStatus
from didww.resources.authentication_method import (
    CredentialsAndIpAuthenticationMethod,
    GenericAuthenticationMethod,
    IpOnlyAuthenticationMethod,
    TwilioAuthenticationMethod,
)

from conftest import credentials, new_trunk

SID = "AC22222222222222222222222222222222"


def test_the_readme_example_creates_a_trunk_with_generated_credentials(create):
    created = create("My Outbound Trunk", default_dst_action=DefaultDstAction.ALLOW_ALL)
    method = created.authentication_method
    assert isinstance(method, CredentialsAndIpAuthenticationMethod)
    assert re.fullmatch("[A-Za-z0-9]{16}", method.username)
    assert re.fullmatch("[A-Za-z0-9]{16}", method.password)
    assert method.username != method.password


@pytest.mark.parametrize(
    ("attribute", "default"),
    [
        ("allowed_rtp_ips", None),
        ("allow_any_did_as_cli", False),
        ("status", VoiceOutTrunkStatus.ACTIVE),
        ("capacity_limit", None),
        ("threshold_reached", False),
        ("threshold_amount", "3000.0"),
        ("media_encryption_mode", MediaEncryptionMode.DISABLED),
        ("default_dst_action", DefaultDstAction.ALLOW_ALL),
        ("dst_prefixes", []),
        ("force_symmetric_rtp", False),
        ("rtp_ping", False),
        ("callback_url", None),
        ("external_reference_id", None),
        ("emergency_enable_all", False),
        ("rtp_timeout", 30),
    ],
)
def test_what_is_not_sent_gets_its_default(create, attribute, default):
    assert getattr(create(), attribute) == default


def test_every_writable_attribute_comes_back_as_it_was_sent(create):
    sent = {
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
        "external_reference_id": "crm-17",
        "emergency_enable_all": True,
        "rtp_timeout": 60,
    }
    created = create("Everything", **sent)
    assert {name: getattr(created, name) for name in sent} == sent
    assert created.is_blocked and not created.is_active


def test_what_was_created_is_found_again(create, trunks):
    created = create("Again")
    found = trunks.find(created.id).data
    assert found.attributes == created.attributes
    assert found.type == "voice_out_trunks"


def test_the_answer_names_the_version_that_the_sdk_asked_for(trunks):
    assert trunks.create(new_trunk("Main")).meta["api_version"] == "2026-04-16"


def test_the_creation_time_is_a_datetime_of_now_in_utc(create):
    created_at = create().created_at
    assert created_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - created_at) < timedelta(minutes=5)
    assert created_at.microsecond % 1000 == 0, "DIDWW counts milliseconds"


def test_a_tech_prefix_is_kept(create):
    created = create(authentication_method=credentials("203.0.113.5", tech_prefix="99#"))
    assert created.authentication_method.tech_prefix == "99#"


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
    assert create(authentication_method=credentials(sent)).authentication_method.allowed_sip_ips == [kept]
    if sent != "0.0.0.0/0":
        assert create("Media", allowed_rtp_ips=[sent]).allowed_rtp_ips == [kept]


@pytest.mark.parametrize("sent", [["0.0.0.0/0"], ["::/0"]])
def test_media_from_every_address_is_not_listed(create, refused_by_rule, sent):
    pointer = "/data/attributes/allowed_rtp_ips"
    expected = ("allowed_rtp_ips - is invalid", pointer)
    assert refused_by_rule(lambda: create(allowed_rtp_ips=sent)) == expected


def test_a_twilio_trunk_has_its_account_and_no_credentials(create):
    method = create(authentication_method=TwilioAuthenticationMethod(twilio_account_sid=SID)).authentication_method
    assert isinstance(method, TwilioAuthenticationMethod)
    assert method.to_jsonapi() == {"type": "twilio", "attributes": {"twilio_account_sid": SID}}


def test_an_ip_only_trunk_cannot_be_created(trunks, refused_by_rule):
    trunk = new_trunk("Main", authentication_method=IpOnlyAuthenticationMethod(allowed_sip_ips=["203.0.113.1"]))
    assert refused_by_rule(trunks.create, trunk) == (
        "type - is not allowed for creation",
        "/data/attributes/authentication_method/type",
    )
    assert trunks.list().data == []


def test_an_ip_only_trunk_of_staff_is_read_and_edited(account, create, trunks):
    created = create("Office")
    account.make_ip_only(created.id, "203.0.113.1")
    found = trunks.find(created.id).data
    assert isinstance(found.authentication_method, IpOnlyAuthenticationMethod)
    assert found.authentication_method.allowed_sip_ips == ["203.0.113.1/32"]
    found.name = "Headquarters"
    updated = trunks.update(found).data
    assert updated.name == "Headquarters"
    assert isinstance(updated.authentication_method, IpOnlyAuthenticationMethod)


@pytest.mark.parametrize(
    ("method", "detail", "pointer"),
    [
        (
            TwilioAuthenticationMethod(),
            "twilio_account_sid - can't be blank",
            "/data/attributes/authentication_method/attributes/twilio_account_sid",
        ),
        (
            CredentialsAndIpAuthenticationMethod(),
            "authentication_method - is invalid",
            "/data/attributes/authentication_method",
        ),
        (
            GenericAuthenticationMethod(type_name="carrier_pigeon"),
            "authentication_method - is invalid",
            "/data/attributes/authentication_method",
        ),
    ],
)
def test_an_incomplete_or_unknown_method_is_refused(trunks, refused_by_rule, method, detail, pointer):
    trunk = new_trunk("Main", authentication_method=method)
    assert refused_by_rule(trunks.create, trunk) == (detail, pointer)


# The SDK leaves out a member that is None, so None stands for an absent member here.
@pytest.mark.parametrize("attribute", ["name", "on_cli_mismatch_action", "authentication_method"])
def test_a_required_attribute_is_asked_for(trunks, refused_by_rule, attribute):
    trunk = new_trunk("Main", **{attribute: None})
    assert refused_by_rule(trunks.create, trunk) == (f"{attribute} - can't be blank", f"/data/attributes/{attribute}")


def test_a_name_is_given_once(create, trunks, refused_by_rule):
    create("Taken")
    assert refused_by_rule(trunks.create, new_trunk("Taken")) == (
        "name - has already been taken",
        "/data/attributes/name",
    )


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("capacity_limit", 32768, "must be less than or equal to 32767"),
        ("capacity_limit", -1, "must be greater than or equal to 1"),
        ("threshold_amount", "100000.1", "must be less than or equal to 100000"),
        ("rtp_timeout", 29, "must be greater than or equal to 30"),
        ("rtp_timeout", 601, "must be less than or equal to 600"),
        ("external_reference_id", "x" * 101, "is too long (maximum is 100 characters)"),
        ("status", "paused", "is not included in the list"),
        ("media_encryption_mode", "rot13", "is not included in the list"),
        ("on_cli_mismatch_action", OnCliMismatchAction.REPLACE_CLI, "is not included in the list"),
        ("on_cli_mismatch_action", OnCliMismatchAction.RANDOMIZE_CLI, "is not included in the list"),
    ],
)
def test_a_value_beyond_its_limits_is_refused(trunks, refused_by_rule, attribute, value, message):
    trunk = new_trunk("Main", **{attribute: value})
    assert refused_by_rule(trunks.create, trunk) == (f"{attribute} - {message}", f"/data/attributes/{attribute}")


def test_every_broken_rule_is_said_at_once(trunks, refusal):
    error = refusal(trunks.create, new_trunk("Main", capacity_limit=32768, rtp_timeout=29))
    assert error.status_code == 422
    assert {one["source"]["pointer"] for one in error.errors} == {
        "/data/attributes/capacity_limit",
        "/data/attributes/rtp_timeout",
    }
    assert "capacity_limit - must be" in str(error) and "rtp_timeout - must be" in str(error)
