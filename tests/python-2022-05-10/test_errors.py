"""The SDK's result for a refusal that does not concern a value: `DidwwApiError` and its error objects."""

import pytest

from conftest import new_trunk

UNKNOWN = "0a161808-bb05-42b1-8398-7888abdfa9ef"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.voice_out_trunks().list(),
        lambda client: client.voice_out_trunks().find(UNKNOWN),
        lambda client: client.voice_out_trunks().create(new_trunk("Main")),
        lambda client: client.voice_out_trunks().delete(UNKNOWN),
        lambda client: client.dids().list(),
        lambda client: client.capacity_pools().list(),
    ],
    ids=["list", "find", "create", "delete", "dids", "capacity_pools"],
)
def test_a_wrong_key_is_refused_everywhere_with_the_same_words(connect, refusal, call):
    error = refusal(call, connect("not-a-key"))
    assert error.status_code == 401
    assert error.errors == [
        {"title": "Unauthorized", "detail": "Authorization failed", "code": "401", "status": "401"}
    ]
    assert str(error) == "Authorization failed"


@pytest.mark.parametrize("id", [UNKNOWN, "123", "not-a-uuid"])
@pytest.mark.parametrize("call", ["find", "delete"])
def test_an_unknown_id_is_named_in_the_refusal(trunks, refusal, call, id):
    error = refusal(getattr(trunks, call), id)
    assert error.status_code == 404
    assert error.errors == [
        {
            "title": "Record not found",
            "detail": f"The record identified by {id} could not be found.",
            "code": "404",
            "status": "404",
        }
    ]


def test_the_trunk_of_another_account_is_as_unknown_as_none(connect, create, create_account, refusal):
    trunk = create()
    stranger = connect(create_account().api_key).voice_out_trunks()
    trunk.name = "Mine now"
    for call, argument in ((stranger.find, trunk.id), (stranger.update, trunk), (stranger.delete, trunk.id)):
        error = refusal(call, argument)
        assert (error.status_code, error.errors[0]["title"]) == (404, "Record not found")
    assert stranger.list().data == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        # What came with 2026-04-16.
        ("authentication_method", {"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": ["203.0.113.5"]}}),
        ("external_reference_id", "crm-17"),
        ("emergency_enable_all", True),
        ("rtp_timeout", 30),
        # What is only read.
        ("username", "chosen"),
        ("password", "chosen-too"),
        ("created_at", "2022-02-03T08:21:29.798Z"),
        ("threshold_reached", True),
    ],
)
def test_an_attribute_that_cannot_be_written_is_refused_by_name(client, refusal, trunks, attribute, value):
    # Without the SDK's model, which would not send it.
    document = {"data": new_trunk("Main").to_jsonapi()}
    document["data"]["attributes"][attribute] = value
    error = refusal(client.post, "voice_out_trunks", document)
    assert error.status_code == 400
    assert error.errors == [
        {"title": "Param not allowed", "detail": f"{attribute} is not allowed.", "code": "105", "status": "400"}
    ]
    assert trunks.list().data == []


def test_an_account_without_the_plan_cannot_list_trunks(account, refusal, trunks):
    account.set_features()
    assert refusal(trunks.list).status_code == 403


def test_an_account_over_its_rate_is_refused(account, refusal, server, trunks):
    server.control.send("POST", "clock/freeze")
    try:
        server.control.send("PATCH", f"accounts/{account.id}", rate_limit=1)
        trunks.list()
        error = refusal(trunks.list)
        assert error.status_code == 429
        assert str(error) == "Too Many Requests"
    finally:
        server.control.send("POST", "clock/resume")


def test_a_path_that_the_api_lacks_is_an_error_that_the_sdk_can_read(client, refusal):
    error = refusal(client.get, "voice_sideways_trunks")
    assert error.status_code == 404
    assert error.errors[0]["title"] == "Not Found"
