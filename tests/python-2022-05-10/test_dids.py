"""`dids()`: list, find and update; DIDs are ordered, so the SDK's create and delete are not served."""

from datetime import timedelta

import pytest
from didww.query_params import QueryParams
from didww.resources.capacity_pool import CapacityPool
from didww.resources.did import Did
from didww.resources.voice_in_trunk import VoiceInTrunk
from didww.resources.voice_in_trunk_group import VoiceInTrunkGroup

UNKNOWN = "0a161808-bb05-42b1-8398-7888abdfa9ef"
POOL = QueryParams().include("capacity_pool")


@pytest.fixture
def dids(client):
    return client.dids()


@pytest.fixture
def number(account, dids):
    return dids.find(account.add_did("37061498290")).data


@pytest.fixture
def three(account):
    return [account.add_did("12025550190"), account.add_did("442079460090"), account.add_did("37061498290")]


def numbers(answer):
    return [one.number for one in answer.data]


def test_the_demo_account_has_six_numbers(demo):
    answer = demo.dids().list()
    assert answer.meta == {"total_records": 6, "api_version": "2022-05-10"}
    assert len({one.number for one in answer.data}) == 6


def test_a_number_has_the_attributes_of_this_version(number):
    held = dict(number.attributes)
    del held["created_at"], held["expires_at"]
    assert number.expires_at - number.created_at == timedelta(days=30)
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
    }


def test_a_number_has_the_relationships_of_this_version(number):
    assert set(number.relationships) == {
        "did_group",
        "order",
        "capacity_pool",
        "shared_capacity_group",
        "address_verification",
        "voice_in_trunk",
        "voice_in_trunk_group",
    }


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("description", "Front desk"),
        ("capacity_limit", 32767),
        # The least capacity rose to 1 with 2026-04-16.
        ("capacity_limit", 0),
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
    assert getattr(number, attribute) == value
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
        ("capacity_limit", -1, "must be greater than or equal to 0"),
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
        ("number", "1", set()),
        ("description", "Front desk", {"37061498290"}),
        ("terminated", "true", {"37061498290"}),
        ("terminated", "false", {"12025550190", "442079460090"}),
        ("billing_cycles_count", "3", {"37061498290"}),
        ("blocked", "true", set()),
        ("awaiting_registration", "true", set()),
    ],
)
def test_a_filter_keeps_what_it_names(dids, three, name, value, expected):
    changed = Did.build(three[2])
    changed.description, changed.terminated, changed.billing_cycles_count = "Front desk", True, 3
    dids.update(changed)
    answer = dids.list(QueryParams().filter(name, value))
    assert set(numbers(answer)) == expected
    assert answer.meta["total_records"] == len(expected)


def test_a_filter_takes_ids(dids, three):
    assert [one.id for one in dids.list(QueryParams().filter("id", three[1])).data] == [three[1]]


@pytest.mark.parametrize("name", ["emergency_enabled", "emergency_calling_service.id", "bogus"])
def test_a_filter_that_this_version_does_not_have_is_refused(dids, refusal, name):
    error = refusal(dids.list, QueryParams().filter(name, "true"))
    assert error.status_code == 400
    # The text has the last part of a name with a dot.
    expected = f"{name.rpartition('.')[2]} is not allowed."
    assert [(one["code"], one["detail"]) for one in error.errors] == [("102", expected)]


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
    ],
)
def test_a_relationship_without_a_record_is_included_as_none(client, dids, number, relationship):
    query = QueryParams().include(relationship)
    assert getattr(dids.find(number.id, query).data, relationship) is None
    # Without the SDK's model, which has None for what is not included too.
    answer = client.get(f"dids/{number.id}", query.to_dict())
    assert answer["data"]["relationships"][relationship]["data"] is None


def test_what_came_with_a_newer_version_cannot_be_included(dids, number, refusal):
    error = refusal(dids.find, number.id, QueryParams().include("emergency_calling_service"))
    assert error.status_code == 400
    assert [(one["code"], one["detail"]) for one in error.errors] == [
        ("112", "emergency_calling_service is not a valid relationship of dids")
    ]


def test_a_number_takes_channels_of_a_pool_and_is_found_by_it(create_pool, dids, three):
    pool = create_pool()
    number = Did.build(three[0])
    number.capacity_pool = CapacityPool.build(pool)
    number.dedicated_channels_count = 4
    updated = dids.update(number, POOL).data
    assert updated.dedicated_channels_count == 4
    assert (updated.capacity_pool.id, updated.capacity_pool.name) == (pool, "Standard")
    assert updated.capacity_pool.assigned_channels_count == 4
    assert numbers(dids.list(QueryParams().filter("capacity_pool.id", pool))) == ["12025550190"]


def test_a_number_leaves_its_pool(create_pool, dids, number):
    number.capacity_pool = CapacityPool.build(create_pool())
    dids.update(number)
    assert dids.find(number.id, POOL).data.capacity_pool is not None
    # The SDK's internal method for a null relationship; it has no public one.
    number._null_relationship("capacity_pool")
    dids.update(number)
    assert dids.find(number.id, POOL).data.capacity_pool is None


def test_channels_without_a_pool_are_refused(dids, number, refused_by_rule):
    number.dedicated_channels_count = 4
    expected = ("capacity_pool - can't be blank", "/data/relationships/capacity_pool")
    assert refused_by_rule(dids.update, number) == expected


def test_an_unknown_pool_is_refused(dids, number, refused_by_rule):
    number.capacity_pool = CapacityPool.build(UNKNOWN)
    expected = ("capacity_pool - is invalid", "/data/relationships/capacity_pool")
    assert refused_by_rule(dids.update, number) == expected


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


def test_a_number_of_another_account_does_not_exist(create_account, dids, refusal):
    foreign = create_account().add_did("4930901820")
    error = refusal(dids.find, foreign)
    assert error.status_code == 404
    assert str(error) == f"The record identified by {foreign} could not be found."


def test_a_number_is_neither_made_nor_deleted(dids, number, refusal):
    assert refusal(dids.create, Did.build(None, description="Mine")).status_code == 404
    assert refusal(dids.delete, number.id).status_code == 404
    assert dids.find(number.id).data.number == "37061498290"
