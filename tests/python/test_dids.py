"""`dids()`: list, find and update; DIDs are ordered, so the SDK's create and delete are not served."""

from datetime import timedelta

import pytest
from didww.query_params import QueryParams
from didww.resources.did import Did
from didww.resources.voice_in_trunk import VoiceInTrunk
from didww.resources.voice_in_trunk_group import VoiceInTrunkGroup

UNKNOWN = "0a161808-bb05-42b1-8398-7888abdfa9ef"


@pytest.fixture
def dids(client):
    return client.dids()


@pytest.fixture
def number(account, dids):
    return dids.find(account.add_did("37061498290")).data


@pytest.fixture
def three(account):
    return [
        account.add_did("12025550190"),
        account.add_did("442079460090", emergency=True),
        account.add_did("37061498290"),
    ]


def numbers(answer):
    return [one.number for one in answer.data]


def test_the_demo_account_has_six_numbers_one_of_them_for_emergencies(demo):
    answer = demo.dids().list()
    assert answer.meta == {"total_records": 6, "api_version": "2026-04-16"}
    assert sum(one.emergency_enabled for one in answer.data) == 1
    assert all(one.description for one in answer.data)


def test_a_new_number_has_every_attribute(number):
    held = {name: getattr(number, name) for name in Did._options.fields if name in number.attributes}
    created_at, expires_at = held.pop("created_at"), held.pop("expires_at")
    assert expires_at - created_at == timedelta(days=30)
    assert held == {
        "number": "37061498290",
        "blocked": False,
        "capacity_limit": None,
        "description": None,
        "terminated": False,
        "awaiting_registration": False,
        "channels_included_count": 0,
        "billing_cycles_count": None,
        "dedicated_channels_count": 0,
        "emergency_enabled": False,
    }


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("description", "Front desk"),
        ("capacity_limit", 32767),
        ("terminated", True),
        ("billing_cycles_count", 0),
        ("billing_cycles_count", 999),
    ],
)
def test_an_attribute_is_written_and_read_back(dids, number, attribute, value):
    before = dict(number.attributes)
    setattr(number, attribute, value)
    updated = dids.update(number).data
    assert dict(updated.attributes) == {**before, attribute: value}
    assert dids.find(number.id).data.attributes == updated.attributes


@pytest.mark.parametrize(
    ("attribute", "value"), [("description", "x"), ("capacity_limit", 1), ("billing_cycles_count", 1)]
)
def test_an_explicit_null_clears(dids, number, attribute, value):
    setattr(number, attribute, value)
    number = dids.update(number).data
    setattr(number, attribute, None)
    assert getattr(dids.update(number).data, attribute) is None


def test_a_cancelled_number_is_restored(dids, number):
    number.terminated = True
    number = dids.update(number).data
    assert number.terminated is True
    number.terminated = False
    assert dids.update(number).data.terminated is False


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("capacity_limit", 32768, "must be less than or equal to 32767"),
        ("billing_cycles_count", 1000, "must be less than or equal to 999"),
    ],
)
def test_a_value_beyond_its_limits_is_refused(dids, number, refused_by_rule, attribute, value, message):
    setattr(number, attribute, value)
    assert refused_by_rule(dids.update, number) == (f"{attribute} - {message}", f"/data/attributes/{attribute}")


def test_what_the_sdk_takes_for_read_only_is_not_sent(dids, number):
    number.number = "1"
    number.description = "Front desk"
    updated = dids.update(number).data
    assert (updated.number, updated.description) == ("37061498290", "Front desk")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("number", "442079460090", {"442079460090"}),
        ("number", "442079460090,12025550190", {"442079460090", "12025550190"}),
        ("emergency_enabled", "true", {"442079460090"}),
        ("blocked", "true", set()),
        ("terminated", "false", {"12025550190", "442079460090", "37061498290"}),
        ("awaiting_registration", "true", set()),
    ],
)
@pytest.mark.usefixtures("three")
def test_a_filter_keeps_what_it_names(dids, name, value, expected):
    assert set(numbers(dids.list(QueryParams().filter(name, value)))) == expected


def test_a_filter_takes_ids(dids, three):
    assert [one.id for one in dids.list(QueryParams().filter("id", three[1])).data] == [three[1]]


@pytest.mark.usefixtures("three")
def test_numbers_are_sorted_as_texts_both_ways(dids):
    assert numbers(dids.list(QueryParams().sort("number"))) == ["12025550190", "37061498290", "442079460090"]
    assert numbers(dids.list(QueryParams().sort("-number"))) == ["442079460090", "37061498290", "12025550190"]


@pytest.mark.usefixtures("three")
def test_pages_together_hold_every_number_once(dids):
    pages = [numbers(dids.list(QueryParams().sort("number").page(number=page, size=1))) for page in (1, 2, 3)]
    assert pages == [["12025550190"], ["37061498290"], ["442079460090"]]


def test_the_numbers_that_can_call_are_found_by_the_feature_of_their_group(demo):
    found = demo.dids().list(QueryParams().filter("did_group.features", "voice_out").include("did_group"))
    assert len(found.data) == 6
    for one in found.data:
        assert one.did_group.area_name in {"Washington", "London", "Sydney", "Paris", "Mobile"}
        assert "voice_out" in [getattr(feature, "value", feature) for feature in one.did_group.features]
    for group in {one.did_group.id for one in found.data}:
        query = QueryParams().filter("features", "voice_out").filter("id", group)
        assert [one.id for one in demo.did_groups().list(query).data] == [group]


@pytest.mark.parametrize(
    "relationship",
    [
        "order",
        "capacity_pool",
        "shared_capacity_group",
        "address_verification",
        "voice_in_trunk",
        "voice_in_trunk_group",
        "emergency_calling_service",
        "emergency_verification",
        "identity",
    ],
)
def test_a_relationship_without_a_record_is_included_as_none(dids, number, relationship):
    found = dids.find(number.id, QueryParams().include(relationship)).data
    assert getattr(found, relationship) is None
    assert relationship in found.relationships


# The SDK sends the other of the two as null, so both names arrive together.
@pytest.mark.parametrize(
    ("relationship", "target"),
    [("voice_in_trunk", VoiceInTrunk), ("voice_in_trunk_group", VoiceInTrunkGroup)],
)
def test_an_unknown_inbound_trunk_is_refused_at_the_pointer_of_the_older_column(
    dids, number, refused_by_rule, relationship, target
):
    setattr(number, relationship, target.build(UNKNOWN))
    assert len(number.to_jsonapi(dirty_only=True)["relationships"]) == 2
    assert refused_by_rule(dids.update, number) == (
        f"{relationship} - is invalid",
        f"/data/attributes/{relationship}_id",
    )


@pytest.mark.parametrize(
    "relationship",
    ["voice_in_trunk", "voice_in_trunk_group", "capacity_pool", "shared_capacity_group", "emergency_calling_service"],
)
def test_a_null_relationship_is_accepted(dids, number, relationship):
    # The SDK's internal method for a null relationship; it has no public one.
    number._null_relationship(relationship)
    assert dids.update(number).data.attributes == number.attributes


def test_a_number_of_another_account_does_not_exist(create_account, dids, refusal):
    foreign = create_account().add_did("4930901820")
    error = refusal(dids.find, foreign)
    assert error.status_code == 404
    assert str(error) == f"The record identified by {foreign} could not be found."


def test_a_number_is_neither_made_nor_deleted(dids, number, refusal):
    assert refusal(dids.create, Did.build(None, description="Mine")).status_code == 404
    assert refusal(dids.delete, number.id).status_code == 404
    assert dids.find(number.id).data.number == "37061498290"
