"""What every account shares: places, kinds of numbers, groups of numbers, prefixes and requirements."""

import pytest
from didww.exceptions import DidwwApiError
from didww.query_params import QueryParams

# The modules, the relationships that a record can include, and a filter with the attribute that it names. Lists that
# DIDWW does not divide into pages ignore their size.
READ_ONLY = {
    "countries": (["regions"], "name"),
    "regions": (["country"], "name"),
    "cities": (["country", "region", "area"], "name"),
    "areas": (["country"], "name"),
    "did_group_types": ([], "name"),
    "did_groups": (["country", "city", "did_group_type", "stock_keeping_units", "region"], "prefix"),
    "available_dids": (["did_group", "did_group.stock_keeping_units"], None),
    "nanpa_prefixes": (["country", "region"], "npanxx"),
    "proof_types": ([], "entity_type"),
    "address_requirements": (["country", "did_group_type", "personal_proof_types", "address_proof_types"], None),
    "supporting_document_templates": ([], "name"),
}


@pytest.fixture(params=READ_ONLY)
def module(request, client):
    """A module of the SDK, with what it can be asked."""
    return getattr(client, request.param)(), *READ_ONLY[request.param]


def test_a_list_has_records_with_ids(module):
    repository, *_ = module
    records = repository.list().data
    assert records
    assert all(record.id for record in records)
    assert len({record.id for record in records}) == len(records)


def test_a_record_of_the_list_is_found_by_its_id(module):
    repository, *_ = module
    listed = repository.list(QueryParams().page(size=1)).data[0]
    found = repository.find(listed.id).data
    assert (found.id, found.type) == (listed.id, listed.type)
    assert dict(found.attributes) == dict(listed.attributes)


def test_an_unknown_id_is_not_found(module):
    repository, *_ = module
    with pytest.raises(DidwwApiError) as caught:
        repository.find("7ee7aebd-9a6b-4ab2-8a1f-1b1f2d7a6d9c")
    assert caught.value.status_code == 404


def test_each_relationship_can_be_included(module):
    repository, includes, _ = module
    for include in includes:
        assert repository.list(QueryParams().include(include).page(size=2)).data


def test_an_unknown_relationship_is_refused(module):
    repository, *_ = module
    with pytest.raises(DidwwApiError) as caught:
        repository.list(QueryParams().include("no_such_thing"))
    assert caught.value.status_code == 400


def test_a_filter_finds_the_record_that_it_names(module):
    repository, _, attribute = module
    one = repository.list(QueryParams().page(size=1)).data[0]

    def named(record):
        if attribute is None:
            return record.id
        if attribute == "npanxx":
            return record.npa + record.nxx
        return record.attributes[attribute]

    found = repository.list(QueryParams().filter(attribute or "id", named(one))).data
    assert one.id in [record.id for record in found]
    # Some filters find a part of a text.
    assert all(named(one) in named(record) for record in found)


def test_an_unknown_filter_is_refused(module):
    repository, *_ = module
    with pytest.raises(DidwwApiError) as caught:
        repository.list(QueryParams().filter("no_such_thing", "x"))
    assert caught.value.status_code == 400


def test_a_country_is_found_by_its_iso_code_with_its_regions(client):
    [country] = client.countries().list(QueryParams().filter("iso", "US").include("regions")).data
    assert (country.name, country.prefix, country.iso) == ("United States", "1", "US")
    assert "California" in [region.name for region in country.regions]


def test_cities_are_those_of_their_country(client):
    [country] = client.countries().list(QueryParams().filter("iso", "LT")).data
    cities = client.cities().list(QueryParams().filter("country.id", country.id).include("country")).data
    assert cities and {city.country.id for city in cities} == {country.id}


def test_groups_of_numbers_have_prices_and_stock(client):
    groups = client.did_groups().list(QueryParams().include("stock_keeping_units", "country").page(size=10)).data
    assert len(groups) == 10
    for group in groups:
        assert group.country.name and group.stock_keeping_units
        for unit in group.stock_keeping_units:
            assert float(unit.monthly_price) >= 0 and float(unit.setup_price) >= 0


def test_the_balance_is_one_record(client):
    balance = client.balance().find().data
    assert float(balance.total_balance) == float(balance.balance) + float(balance.credit)


@pytest.mark.parametrize("name", ["pops", "public_keys"])
def test_what_has_only_a_list_is_listed(client, name):
    records = getattr(client, name)().list().data
    assert len({record.id for record in records}) == len(records) > 1
