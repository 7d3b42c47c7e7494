"""The DIDs of a trunk: linked, included, cleared, kept by the service, and replaced as caller numbers."""

import pytest
from didww.enums import OnCliMismatchAction
from didww.query_params import QueryParams
from didww.resources.did import Did
from didww.resources.voice_out_trunk import VoiceOutTrunk

from conftest import did, new_trunk

DIDS = QueryParams().include("dids")
EMERGENCY = QueryParams().include("emergency_dids")
UNKNOWN = "0a161808-bb05-42b1-8398-7888abdfa9ef"


@pytest.fixture
def numbers(account):
    """The ids of three DIDs; the last two have emergency calling."""
    return [
        account.add_did("12025550190"),
        account.add_did("12025550191", emergency=True),
        account.add_did("442079460090", emergency=True),
    ]


def ids(dids):
    return [one.id for one in dids]


def test_a_trunk_is_created_with_its_dids(create, numbers, trunks):
    created = create(dids=[did(numbers[1]), did(numbers[0])])
    found = trunks.find(created.id, DIDS).data
    assert sorted(ids(found.dids)) == sorted(numbers[:2])


def test_included_dids_are_whole_records(create, numbers, trunks):
    created = create(dids=[did(numbers[1])])
    [linked] = trunks.find(created.id, DIDS).data.dids
    assert isinstance(linked, Did)
    assert (linked.number, linked.emergency_enabled, linked.blocked) == ("12025550191", True, False)
    assert linked.expires_at > linked.created_at


def test_what_is_not_included_is_not_linked(create, numbers, trunks):
    found = trunks.find(create(dids=[did(numbers[0])]).id).data
    assert not found.dids and not found.emergency_dids and not found.default_did
    assert found.relationships["dids"].links["self"].endswith(f"/voice_out_trunks/{found.id}/relationships/dids")


def test_a_create_answers_with_what_it_was_asked_to_include(numbers, trunks):
    created = trunks.create(new_trunk("Main", dids=[did(numbers[0])]), DIDS).data
    assert ids(created.dids) == numbers[:1]


def test_an_update_answers_with_what_it_was_asked_to_include(create, numbers, trunks):
    trunk = create()
    trunk.dids = [did(numbers[2])]
    assert ids(trunks.update(trunk, DIDS).data.dids) == numbers[2:]


def test_two_relationships_are_included_at_once(create, numbers, trunks):
    created = create(dids=[did(numbers[0]), did(numbers[1])], emergency_dids=[did(numbers[1])])
    found = trunks.find(created.id, QueryParams().include("dids", "emergency_dids")).data
    assert sorted(ids(found.dids)) == sorted(numbers[:2])
    [emergency] = found.emergency_dids
    assert emergency.number == "12025550191"


def test_a_list_includes_the_dids_of_each_trunk(create, numbers, trunks):
    create("A", dids=[did(numbers[0]), did(numbers[1])])
    create("B", dids=[did(numbers[1])])
    create("C")
    listed = trunks.list(QueryParams().include("dids").sort("name")).data
    assert [sorted(ids(trunk.dids)) for trunk in listed] == [sorted(numbers[:2]), [numbers[1]], []]


def test_an_empty_relationship_is_included_as_an_empty_list(create, trunks):
    assert trunks.find(create().id, DIDS).data.dids == []


def test_linkage_replaces_the_whole_set(create, numbers, trunks):
    trunk = create(dids=[did(numbers[0]), did(numbers[1])])
    trunk.dids = [did(numbers[2])]
    assert trunk.to_jsonapi(dirty_only=True)["attributes"] == {}
    trunks.update(trunk)
    assert ids(trunks.find(trunk.id, DIDS).data.dids) == [numbers[2]]


@pytest.mark.parametrize("relationship", ["dids", "emergency_dids"])
def test_an_empty_list_clears(create, numbers, trunks, relationship):
    trunk = create(**{relationship: [did(numbers[1]), did(numbers[2])]})
    query = QueryParams().include(relationship)
    assert len(getattr(trunks.find(trunk.id, query).data, relationship)) == 2
    stub = VoiceOutTrunk.build(trunk.id)
    setattr(stub, relationship, [])
    trunks.update(stub)
    assert getattr(trunks.find(trunk.id, query).data, relationship) == []


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


def test_a_did_of_another_account_cannot_be_linked(create_account, trunks, refusal):
    foreign = create_account().add_did("4930901820")
    error = refusal(trunks.create, new_trunk("Main", dids=[did(foreign)]))
    assert error.status_code == 422
    assert error.errors[0]["source"]["pointer"].startswith("/data/relationships/dids")


def test_a_did_without_emergency_calling_makes_no_emergency_calls(trunks, numbers, refused_by_rule):
    trunk = new_trunk("Main", emergency_dids=[did(numbers[0]), did(numbers[1])])
    assert refused_by_rule(trunks.create, trunk) == (
        f"emergency_dids/{numbers[0]} - does not support Emergency feature",
        f"/data/relationships/emergency_dids/{numbers[0]}",
    )


def test_with_emergency_for_all_the_service_links_every_emergency_did(create, numbers, trunks):
    trunk = create(emergency_enable_all=True)
    assert sorted(ids(trunks.find(trunk.id, EMERGENCY).data.emergency_dids)) == sorted(numbers[1:])


def test_with_emergency_for_all_none_can_be_named(trunks, numbers, refusal):
    error = refusal(trunks.create, new_trunk("Main", emergency_enable_all=True, emergency_dids=[did(numbers[1])]))
    assert error.status_code == 422
    assert error.errors[0]["source"]["pointer"] == "/data/relationships/emergency_dids"


def test_with_any_did_as_caller_number_the_service_links_every_did(create, numbers, trunks):
    trunk = create(dids=[did(numbers[0])])
    trunk.allow_any_did_as_cli = True
    trunks.update(trunk)
    assert sorted(ids(trunks.find(trunk.id, DIDS).data.dids)) == sorted(numbers)


def test_with_any_did_as_caller_number_none_can_be_named(trunks, numbers, refusal):
    error = refusal(trunks.create, new_trunk("Main", allow_any_did_as_cli=True, dids=[did(numbers[0])]))
    assert error.status_code == 422
    assert error.errors[0]["source"]["pointer"] == "/data/relationships/dids"


def test_a_default_did_is_not_known_to_an_account_without_the_feature(trunks, numbers, refusal):
    error = refusal(trunks.create, new_trunk("Main", default_did=did(numbers[0])))
    assert error.status_code == 400
    assert [(one["code"], one["detail"]) for one in error.errors] == [("105", "default_did is not allowed.")]


def test_an_account_that_gets_the_feature_can_replace_caller_numbers(account, create, numbers, trunks):
    assert "default_did" not in create("Before").relationships
    account.set_features("outbound", "replace_cli")
    created = create(
        "Replaces",
        on_cli_mismatch_action=OnCliMismatchAction.REPLACE_CLI,
        default_did=did(numbers[0]),
        dids=[did(numbers[0])],
    )
    found = trunks.find(created.id, QueryParams().include("dids", "default_did")).data
    assert found.on_cli_mismatch_action == OnCliMismatchAction.REPLACE_CLI
    assert found.default_did.number == "12025550190"
    assert ids(found.dids) == [numbers[0]]


def test_random_caller_numbers_are_a_feature_of_their_own(account, create):
    account.set_features("outbound", "randomize_cli")
    created = create(on_cli_mismatch_action=OnCliMismatchAction.RANDOMIZE_CLI)
    assert created.on_cli_mismatch_action == OnCliMismatchAction.RANDOMIZE_CLI


def test_a_default_did_is_found_by_filter_changed_and_cleared(account, create, numbers, trunks):
    account.set_features("outbound", "replace_cli")
    included = QueryParams().include("default_did")
    replaces = OnCliMismatchAction.REPLACE_CLI
    create("Other", on_cli_mismatch_action=replaces, default_did=did(numbers[1]))
    trunk = create("Replaces", on_cli_mismatch_action=replaces, default_did=did(numbers[0]))
    listed = trunks.list(QueryParams().filter("default_did.id", numbers[0])).data
    assert [one.name for one in listed] == ["Replaces"]
    trunk.default_did = did(numbers[2])
    trunks.update(trunk)
    assert trunks.find(trunk.id, included).data.default_did.id == numbers[2]
    stub = VoiceOutTrunk.build(trunk.id)
    # The SDK's internal method for a null relationship; it has no public one.
    stub._null_relationship("default_did")
    # It stays with the action that needs it.
    stub.on_cli_mismatch_action = OnCliMismatchAction.REJECT_CALL
    trunks.update(stub)
    assert trunks.find(trunk.id, included).data.default_did is None
