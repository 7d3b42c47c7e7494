"""The same trunk at 2022-05-10, with the SDK, and at 2026-04-16, with plain requests."""

from importlib.metadata import version

import pytest
import requests
from didww.client import DidwwClient
from didww.resources.voice_out_trunk import VoiceOutTrunk

SID = "AC22222222222222222222222222222222"
CHOICES = {"on_cli_mismatch_action": "reject_call"}


@pytest.fixture
def newer(account, server):
    """Sends a request of version 2026-04-16 about trunks. Returns the trunk that answers."""
    headers = {
        "Accept": "application/vnd.api+json",
        "Content-Type": "application/vnd.api+json",
        "Api-Key": account.api_key,
        "X-DIDWW-API-Version": "2026-04-16",
    }

    def newer(method, id=None, **attributes):
        url = "/".join(filter(None, (server.base_url, "voice_out_trunks", id)))
        trunk = {"type": "voice_out_trunks", "attributes": attributes, **({"id": id} if id else {})}
        answer = requests.request(method, url, headers=headers, json={"data": trunk} if attributes else None)
        assert answer.ok, answer.text
        assert answer.json()["meta"]["api_version"] == "2026-04-16"
        return answer.json()["data"]

    return newer


def test_the_sdk_is_the_one_of_this_version():
    assert (version("didww"), DidwwClient.API_VERSION) == ("2.0.0", "2022-05-10")


def test_an_account_of_a_newer_version_is_not_served_an_older_one(account, server, trunks):
    server.control.send("PATCH", f"accounts/{account.id}", version="2026-04-16")
    assert trunks.list().meta["api_version"] == "2026-04-16"


def test_the_flat_members_are_those_of_the_newer_method(create, newer):
    created = create()
    assert newer("GET", created.id)["attributes"]["authentication_method"] == {
        "type": "credentials_and_ip",
        "attributes": {
            "allowed_sip_ips": ["203.0.113.0/24"],
            "tech_prefix": None,
            "username": created.username,
            "password": created.password,
        },
    }


def test_an_update_of_the_flat_addresses_keeps_what_this_version_does_not_show(newer, trunks):
    method = {"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["203.0.113.5"], "tech_prefix": "99"}}
    hidden = {"external_reference_id": "crm-17", "rtp_timeout": 60}
    made = newer("POST", name="Main", authentication_method=method, **hidden, **CHOICES)
    trunk = trunks.find(made["id"]).data
    assert trunk.allowed_sip_ips == ["203.0.113.5/32"]
    trunk.allowed_sip_ips = ["198.51.100.7"]
    updated = trunks.update(trunk).data
    after = newer("GET", trunk.id)["attributes"]
    assert after["authentication_method"]["attributes"] == {
        "allowed_sip_ips": ["198.51.100.7/32"],
        "tech_prefix": "99",
        "username": updated.username,
        "password": updated.password,
    }
    assert (updated.username, updated.password) == (trunk.username, trunk.password)
    assert {name: after[name] for name in hidden} == hidden


def test_a_twilio_trunk_has_no_credentials_in_this_version(newer, trunks):
    method = {"type": "twilio", "attributes": {"twilio_account_sid": SID}}
    made = newer("POST", name="Main", authentication_method=method, **CHOICES)
    trunk = trunks.find(made["id"]).data
    assert (trunk.allowed_sip_ips, trunk.username, trunk.password) == ([], None, None)
    trunk.name = "Renamed"
    assert trunks.update(trunk).data.name == "Renamed"
    assert newer("GET", trunk.id)["attributes"]["authentication_method"] == method


def test_an_ip_only_trunk_shows_its_addresses_and_keeps_them(account, create, refusal, newer, trunks):
    trunk = create()
    account.make_ip_only(trunk.id, "203.0.113.1")
    found = trunks.find(trunk.id).data
    assert (found.allowed_sip_ips, found.username, found.password) == (["203.0.113.1/32"], None, None)
    stub = VoiceOutTrunk.build(trunk.id)
    stub.allowed_sip_ips = ["198.51.100.7"]
    assert refusal(trunks.update, stub).status_code == 422
    assert newer("GET", trunk.id)["attributes"]["authentication_method"] == {
        "type": "ip_only",
        "attributes": {"allowed_sip_ips": ["203.0.113.1/32"], "tech_prefix": None},
    }
