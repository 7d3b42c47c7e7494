"""`voice_out_trunks().list`: filters, sorts, pages."""

import pytest
from didww.enums import DefaultDstAction, MediaEncryptionMode, OnCliMismatchAction, VoiceOutTrunkStatus
from didww.query_params import QueryParams


@pytest.fixture
def three(create):
    """Three trunks, in the order of their creation."""
    return [
        create("Alpha East", allow_any_did_as_cli=True),
        create("Beta", status=VoiceOutTrunkStatus.BLOCKED),
        create(
            "Alpha West",
            default_dst_action=DefaultDstAction.REJECT_ALL,
            media_encryption_mode=MediaEncryptionMode.ZRTP,
            on_cli_mismatch_action=OnCliMismatchAction.SEND_ORIGINAL_CLI,
        ),
    ]


def names(answer):
    return [trunk.name for trunk in answer.data]


def test_an_empty_account_lists_nothing(trunks):
    answer = trunks.list()
    assert answer.data == []
    assert answer.meta == {"total_records": 0, "api_version": "2022-05-10"}


def test_a_list_holds_every_trunk_with_its_attributes(three, trunks):
    answer = trunks.list()
    assert answer.meta == {"total_records": 3, "api_version": "2022-05-10"}
    assert names(answer) == ["Alpha East", "Beta", "Alpha West"]
    assert [trunk.attributes for trunk in answer.data] == [trunk.attributes for trunk in three]
    assert all(trunk.username and trunk.password and trunk.allowed_sip_ips for trunk in answer.data)


def test_a_trunk_has_its_spending(client, three):
    # Without the SDK's model, which does not have it.
    expected = {"spent_amount": "0.0"}
    assert [trunk["meta"] for trunk in client.get("voice_out_trunks")["data"]] == [expected] * 3
    assert client.get(f"voice_out_trunks/{three[0].id}")["data"]["meta"] == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", "Beta", {"Beta"}),
        ("name", "Beta,Alpha West", {"Beta", "Alpha West"}),
        ("name", "Gamma", set()),
        ("name_contains", "Alpha", {"Alpha East", "Alpha West"}),
        ("name_contains", "East,Beta", {"Alpha East", "Beta"}),
        ("on_cli_mismatch_action", "reject_call", {"Alpha East", "Beta"}),
        ("on_cli_mismatch_action", "reject_call,send_original_cli", {"Alpha East", "Beta", "Alpha West"}),
        ("allow_any_did_as_cli", "true", {"Alpha East"}),
        ("status", "blocked", {"Beta"}),
        ("status", "active", {"Alpha East", "Alpha West"}),
        ("threshold_reached", "false", {"Alpha East", "Beta", "Alpha West"}),
        ("threshold_reached", "true", set()),
        ("default_dst_action", "reject_all", {"Alpha West"}),
        ("media_encryption_mode", "zrtp", {"Alpha West"}),
    ],
)
@pytest.mark.usefixtures("three")
def test_a_filter_keeps_what_it_names(trunks, name, value, expected):
    answer = trunks.list(QueryParams().filter(name, value))
    assert set(names(answer)) == expected
    assert answer.meta["total_records"] == len(expected)


def test_a_filter_takes_ids(three, trunks):
    wanted = [three[0], three[2]]
    answer = trunks.list(QueryParams().filter("id", ",".join(trunk.id for trunk in wanted)))
    assert {trunk.id for trunk in answer.data} == {trunk.id for trunk in wanted}


@pytest.mark.usefixtures("three")
def test_filters_are_joined_by_and(trunks):
    query = QueryParams().filter("name_contains", "Alpha").filter("default_dst_action", "reject_all")
    assert names(trunks.list(query)) == ["Alpha West"]


@pytest.mark.parametrize(
    ("sorts", "expected"),
    [
        (["name"], ["Alpha East", "Alpha West", "Beta"]),
        (["-name"], ["Beta", "Alpha West", "Alpha East"]),
        (["created_at"], ["Alpha East", "Beta", "Alpha West"]),
        (["-created_at"], ["Alpha West", "Beta", "Alpha East"]),
        (["allow_any_did_as_cli", "name"], ["Alpha West", "Beta", "Alpha East"]),
        (["threshold_reached", "-name"], ["Beta", "Alpha West", "Alpha East"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_a_sort_orders_the_list(trunks, sorts, expected):
    assert names(trunks.list(QueryParams().sort(*sorts))) == expected


@pytest.mark.usefixtures("three")
def test_pages_together_hold_every_trunk_once(trunks):
    pages = [trunks.list(QueryParams().sort("name").page(number=number, size=2)) for number in (1, 2, 3)]
    assert [names(page) for page in pages] == [["Alpha East", "Alpha West"], ["Beta"], []]
    assert {page.meta["total_records"] for page in pages} == {3}


def test_a_page_is_at_most_a_thousand(trunks, refusal):
    assert trunks.list(QueryParams().page(size=1000)).data == []
    error = refusal(trunks.list, QueryParams().page(size=1001))
    assert (error.status_code, error.errors[0]["code"]) == (400, "118")
    assert str(error) == "size exceeds maximum page size of 1000."


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        (QueryParams().filter("bogus", 1), "102", "bogus is not allowed."),
        # What came with 2026-04-16.
        (QueryParams().filter("external_reference_id", "z"), "102", "external_reference_id is not allowed."),
        (QueryParams().filter("authentication_method.type", "twilio"), "102", "type is not allowed."),
        (
            QueryParams().include("emergency_dids"),
            "112",
            "emergency_dids is not a valid relationship of voice_out_trunks",
        ),
        (
            QueryParams().sort("external_reference_id"),
            "114",
            "external_reference_id is not a valid sort criteria for voice_out_trunks",
        ),
        (
            QueryParams().filter("on_cli_mismatch_action", "nope"),
            "107",
            "nope is not a valid value for on_cli_mismatch_action.",
        ),
        (
            QueryParams().sort("username"),
            "114",
            "username is not a valid sort criteria for voice_out_trunks",
        ),
        (QueryParams().page(number=0), "118", "0 is not a valid value for number page parameter."),
    ],
)
def test_a_query_that_this_version_does_not_have_is_refused(trunks, refusal, query, code, detail):
    error = refusal(trunks.list, query)
    assert error.status_code == 400
    assert [(one["code"], one["status"], one["detail"]) for one in error.errors] == [(code, "400", detail)]
