"""The DIDs of a trunk: linked, included, cleared, kept by the service, and replaced as caller numbers."""

import pytest
from didww.enums import OnCliMismatchAction
from didww.query_params import QueryParams
from didww.resources.did import Did
from didww.resources.voice_out_trunk import VoiceOutTrunk

from conftest import did, new_trunk

DIDS = QueryParams().include("dids")
DEFAULT = QueryParams().include("default_did")
UNKNOWN = "0a161808-bb05-42b1-8398-7888abdfa9ef"
REPLACES = OnCliMismatchAction.REPLACE_CLI


@pytest.fixture
def numbers(account):
    """The ids of three DIDs."""
    return [account.add_did("12025550190"), account.add_did("12025550191"), account.add_did("442079460090")]


def ids(dids):
    return [one.id for one in dids]


def test_a_trunk_is_created_with_its_dids(create, numbers, trunks):
    created = create(dids=[did(numbers[1]), did(numbers[0])])
    found = trunks.find(created.id, DIDS).data
    assert sorted(ids(found.dids)) == sorted(numbers[:2])


def test_included_dids_are_whole_records_of_this_version(create, client, numbers, trunks):
    created = create(dids=[did(numbers[1])])
    [linked] = trunks.find(created.id, DIDS).data.dids
    assert isinstance(linked, Did)
    assert (linked.number, linked.blocked) == ("12025550191", False)
    assert linked.attributes == client.dids().find(numbers[1]).data.attributes


def test_a_trunk_has_the_relationships_of_this_version_as_links(create, numbers, trunks):
    found = trunks.find(create(dids=[did(numbers[0])]).id).data
    assert not found.dids and not found.default_did
    assert list(found.relationships) == ["dids"]
    assert found.relationships["dids"].links["self"].endswith(f"/voice_out_trunks/{found.id}/relationships/dids")


def test_a_create_and_an_update_answer_with_what_they_were_asked_to_include(numbers, trunks):
    created = trunks.create(new_trunk("Main", dids=[did(numbers[0])]), DIDS).data
    assert ids(created.dids) == numbers[:1]
    created.dids = [did(numbers[2])]
    assert ids(trunks.update(created, DIDS).data.dids) == numbers[2:]


def test_a_list_includes_the_dids_of_each_trunk(create, numbers, trunks):
    create("A", dids=[did(numbers[0]), did(numbers[1])])
    create("B", dids=[did(numbers[1])])
    create("C")
    listed = trunks.list(QueryParams().include("dids").sort("name")).data
    assert [sorted(ids(trunk.dids)) for trunk in listed] == [sorted(numbers[:2]), [numbers[1]], []]


def test_linkage_replaces_the_whole_set(create, numbers, trunks):
    trunk = create(dids=[did(numbers[0]), did(numbers[1])])
    trunk.dids = [did(numbers[2])]
    assert trunk.to_jsonapi(dirty_only=True)["attributes"] == {}
    trunks.update(trunk)
    assert ids(trunks.find(trunk.id, DIDS).data.dids) == [numbers[2]]


def test_an_empty_list_clears(create, numbers, trunks):
    trunk = create(dids=[did(numbers[1]), did(numbers[2])])
    assert len(trunks.find(trunk.id, DIDS).data.dids) == 2
    stub = VoiceOutTrunk.build(trunk.id)
    stub.dids = []
    trunks.update(stub)
    assert trunks.find(trunk.id, DIDS).data.dids == []


def test_a_change_of_attributes_leaves_the_links(create, numbers, trunks):
    trunk = create(dids=[did(numbers[0])])
    trunk.name = "Renamed"
    trunks.update(trunk)
    assert ids(trunks.find(trunk.id, DIDS).data.dids) == numbers[:1]


def test_a_loaded_did_can_be_linked(client, create, numbers, trunks):
    loaded = client.dids().find(numbers[0]).data
    trunk = create(dids=[loaded])
    assert ids(trunks.find(trunk.id, DIDS).data.dids) == numbers[:1]


def test_an_unknown_did_cannot_be_linked(trunks, numbers, refusal):
    error = refusal(trunks.create, new_trunk("Main", dids=[did(numbers[0]), did(UNKNOWN)]))
    assert error.status_code == 422
    assert error.errors[0]["source"]["pointer"].startswith("/data/relationships/dids")
    assert trunks.list().data == []


def test_a_did_of_another_account_cannot_be_linked(create_account, trunks, refusal):
    foreign = create_account().add_did("4930901820")
    error = refusal(trunks.create, new_trunk("Main", dids=[did(foreign)]))
    assert error.status_code == 422
    assert error.errors[0]["source"]["pointer"].startswith("/data/relationships/dids")


def test_with_any_did_as_caller_number_the_service_links_every_did(create, numbers, trunks):
    trunk = create(dids=[did(numbers[0])])
    trunk.allow_any_did_as_cli = True
    trunks.update(trunk)
    assert sorted(ids(trunks.find(trunk.id, DIDS).data.dids)) == sorted(numbers)


def test_with_any_did_as_caller_number_none_can_be_named(trunks, numbers, refused_by_rule):
    trunk = new_trunk("Main", allow_any_did_as_cli=True, dids=[did(numbers[0])])
    assert refused_by_rule(trunks.create, trunk) == ("dids - must be blank", "/data/relationships/dids")


def test_a_default_did_is_not_known_to_an_account_without_the_feature(trunks, numbers, refusal):
    error = refusal(trunks.create, new_trunk("Main", default_did=did(numbers[0])))
    assert error.status_code == 400
    assert [(one["code"], one["detail"]) for one in error.errors] == [("105", "default_did is not allowed.")]


def test_the_default_did_and_the_dids_are_included_at_once(account, create, numbers, trunks):
    account.set_features("outbound", "replace_cli")
    linked = [did(numbers[0]), did(numbers[1])]
    created = create("Replaces", on_cli_mismatch_action=REPLACES, default_did=did(numbers[0]), dids=linked)
    assert list(created.relationships) == ["default_did", "dids"]
    found = trunks.find(created.id, QueryParams().include("dids", "default_did")).data
    assert found.on_cli_mismatch_action == REPLACES
    assert (found.default_did.id, found.default_did.number) == (numbers[0], "12025550190")
    assert sorted(ids(found.dids)) == sorted(numbers[:2])


def test_a_default_did_is_found_by_filter_changed_and_cleared(account, create, numbers, trunks):
    account.set_features("outbound", "replace_cli")
    create("Other", on_cli_mismatch_action=REPLACES, default_did=did(numbers[1]))
    trunk = create("Replaces", on_cli_mismatch_action=REPLACES, default_did=did(numbers[0]))
    listed = trunks.list(QueryParams().filter("default_did.id", numbers[0])).data
    assert [one.name for one in listed] == ["Replaces"]
    trunk.default_did = did(numbers[2])
    trunks.update(trunk)
    assert trunks.find(trunk.id, DEFAULT).data.default_did.id == numbers[2]
    stub = VoiceOutTrunk.build(trunk.id)
    # The SDK's internal method for a null relationship; it has no public one.
    stub._null_relationship("default_did")
    # It stays with the action that needs it.
    stub.on_cli_mismatch_action = OnCliMismatchAction.REJECT_CALL
    trunks.update(stub)
    assert trunks.find(trunk.id, DEFAULT).data.default_did is None


def test_random_caller_numbers_are_a_feature_of_their_own(account, create):
    account.set_features("outbound", "randomize_cli")
    created = create(on_cli_mismatch_action=OnCliMismatchAction.RANDOMIZE_CLI)
    assert created.on_cli_mismatch_action == OnCliMismatchAction.RANDOMIZE_CLI
