"""`capacity_pools()`: list, find and update; pools are ordered, so the SDK's create and delete are not served."""

import pytest
from didww.query_params import QueryParams
from didww.resources.capacity_pool import CapacityPool
from didww.resources.did import Did

TOTAL = "/data/attributes/total_channels_count"


@pytest.fixture
def pools(client):
    return client.capacity_pools()


@pytest.fixture
def used_pool(account, client, create_pool):
    """The id of a pool of 30 channels, of which a DID has 12. At least 2 are kept."""
    pool = create_pool(minimum_limit=2)
    number = Did.build(account.add_did("37061498290"))
    number.capacity_pool = CapacityPool.build(pool)
    number.dedicated_channels_count = 12
    client.dids().update(number)
    return pool


def names(answer):
    return [pool.name for pool in answer.data]


def test_an_account_without_pools_lists_none(pools):
    answer = pools.list()
    assert answer.data == []
    assert answer.meta == {"total_records": 0, "api_version": "2022-05-10"}


def test_a_pool_has_every_attribute_of_the_sdk(create_pool, pools):
    id = create_pool(
        minimum_limit=2, minimum_qty_per_order=1, setup_price="1.0", monthly_price="15.5", metered_rate="0.01"
    )
    found = pools.find(id).data
    assert dict(found.attributes) == {
        "name": "Standard",
        "renew_date": "2026-12-01",
        "total_channels_count": 30,
        "assigned_channels_count": 0,
        "minimum_limit": 2,
        "minimum_qty_per_order": 1,
        "setup_price": "1.0",
        "monthly_price": "15.5",
        "metered_rate": "0.01",
    }
    assert all(getattr(found, name) == value for name, value in found.attributes.items())


def test_the_relationships_of_a_pool_are_included_as_empty_lists(create_pool, pools):
    names = ["countries", "shared_capacity_groups", "qty_based_pricings"]
    found = pools.find(create_pool(), QueryParams().include(*names)).data
    assert list(found.relationships) == names
    assert [getattr(found, name) for name in names] == [[], [], []]


def test_the_channels_of_a_number_are_assigned(pools, used_pool):
    found = pools.find(used_pool).data
    assert (found.total_channels_count, found.assigned_channels_count) == (30, 12)


@pytest.mark.parametrize("total", [29, 12])
def test_a_pool_is_made_smaller(pools, used_pool, total):
    pool = pools.find(used_pool).data
    before = dict(pool.attributes)
    pool.total_channels_count = total
    assert dict(pools.update(pool).data.attributes) == {**before, "total_channels_count": total}
    assert pools.find(used_pool).data.total_channels_count == total


@pytest.mark.parametrize(
    ("total", "message"), [(11, "should be at least 12"), (31, "must be less than or equal to 30")]
)
def test_a_pool_is_neither_made_larger_nor_smaller_than_its_use(pools, refused_by_rule, used_pool, total, message):
    pool = CapacityPool.build(used_pool)
    pool.total_channels_count = total
    assert refused_by_rule(pools.update, pool) == (f"total_channels_count - {message}", TOTAL)
    assert pools.find(used_pool).data.total_channels_count == 30


def test_a_pool_keeps_its_minimum(create_pool, pools, refused_by_rule):
    pool = CapacityPool.build(create_pool(minimum_limit=2))
    pool.total_channels_count = 1
    assert refused_by_rule(pools.update, pool) == ("total_channels_count - should be at least 2", TOTAL)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", "Full", ["Full"]),
        ("name", "Full,Standard", ["Full", "Standard"]),
        ("name", "Other", []),
        ("has_unassigned_channels", "true", ["Standard"]),
        ("has_unassigned_channels", "false", ["Full"]),
    ],
)
@pytest.mark.usefixtures("used_pool")
def test_a_filter_keeps_what_it_names(create_pool, pools, name, value, expected):
    create_pool("Full", total_channels_count=0)
    answer = pools.list(QueryParams().filter(name, value).sort("name"))
    assert names(answer) == expected
    assert answer.meta["total_records"] == len(expected)


def test_pools_are_sorted_and_divided_into_pages(create_pool, pools):
    for name, total in (("A", 5), ("B", 30), ("C", 12)):
        create_pool(name, total_channels_count=total)
    assert names(pools.list(QueryParams().sort("-total_channels_count"))) == ["B", "C", "A"]
    pages = [names(pools.list(QueryParams().sort("name").page(number=page, size=2))) for page in (1, 2)]
    assert pages == [["A", "B"], ["C"]]


def test_the_pool_of_another_account_does_not_exist(connect, create_account, create_pool, refusal):
    pool = create_pool()
    stranger = connect(create_account().api_key).capacity_pools()
    assert stranger.list().data == []
    assert refusal(stranger.find, pool).status_code == 404
    changed = CapacityPool.build(pool)
    changed.total_channels_count = 1
    assert refusal(stranger.update, changed).status_code == 404


def test_a_pool_is_neither_made_nor_deleted(create_pool, pools, refusal):
    pool = create_pool()
    assert refusal(pools.create, CapacityPool.build(None, total_channels_count=1)).status_code == 404
    assert refusal(pools.delete, pool).status_code == 404
    assert len(pools.list().data) == 1
