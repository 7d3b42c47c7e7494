"""`voice_out_trunk_regenerate_credentials()`: only create exists, although the SDK has more methods."""

import re

import pytest
from didww.resources.voice_out_trunk import VoiceOutTrunk
from didww.resources.voice_out_trunk_regenerate_credential import VoiceOutTrunkRegenerateCredential

POINTER = "/data/relationships/voice_out_trunk"


@pytest.fixture
def rotations(client):
    return client.voice_out_trunk_regenerate_credentials()


def rotation_of(trunk):
    rotation = VoiceOutTrunkRegenerateCredential()
    rotation.voice_out_trunk = trunk
    return rotation


def test_a_rotation_changes_username_and_password_and_keeps_the_rest(create, rotations, trunks):
    before = create(capacity_limit=5)
    answer = rotations.create(rotation_of(VoiceOutTrunk.build(before.id)))
    assert (answer.data.id, answer.data.type) == (before.id, "voice_out_trunk_regenerate_credentials")
    assert not answer.data.attributes
    assert answer.meta == {"api_version": "2022-05-10"}
    after = trunks.find(before.id).data
    assert before.username != after.username and before.password != after.password
    assert re.fullmatch("[a-z0-9]{10}", after.username) and re.fullmatch("[a-z0-9]{10}", after.password)
    beside = {"username": None, "password": None}
    assert {**after.attributes, **beside} == {**before.attributes, **beside}


def test_a_loaded_trunk_can_be_rotated_again_and_again(create, rotations, trunks):
    trunk = create()
    seen = {trunk.password}
    for _ in range(5):
        rotations.create(rotation_of(trunk))
        seen.add(trunks.find(trunk.id).data.password)
    assert len(seen) == 6


def test_a_rotation_leaves_the_other_trunks(create, rotations, trunks):
    trunk, other = create("A"), create("B")
    rotations.create(rotation_of(trunk))
    assert trunks.find(other.id).data.attributes == other.attributes


def test_an_ip_only_trunk_has_nothing_to_rotate(account, create, rotations, refused_by_rule):
    trunk = create()
    account.make_ip_only(trunk.id, "203.0.113.1")
    assert refused_by_rule(rotations.create, rotation_of(trunk)) == ("voice_out_trunk - is invalid", POINTER)


def test_an_unknown_trunk_cannot_be_rotated(rotations, refused_by_rule):
    unknown = VoiceOutTrunk.build("0a161808-bb05-42b1-8398-7888abdfa9ef")
    assert refused_by_rule(rotations.create, rotation_of(unknown)) == ("voice_out_trunk - is invalid", POINTER)


def test_the_trunk_of_another_account_cannot_be_rotated(connect, create, create_account, refused_by_rule, trunks):
    trunk = create()
    stranger = connect(create_account().api_key).voice_out_trunk_regenerate_credentials()
    assert refused_by_rule(stranger.create, rotation_of(trunk)) == ("voice_out_trunk - is invalid", POINTER)
    assert trunks.find(trunk.id).data.attributes == trunk.attributes


def test_a_rotation_of_no_trunk_is_refused(rotations, refused_by_rule):
    rotation = VoiceOutTrunkRegenerateCredential()
    assert refused_by_rule(rotations.create, rotation) == ("voice_out_trunk - can't be blank", POINTER)


@pytest.mark.parametrize("call", ["list", "find", "delete"])
def test_a_rotation_can_only_be_made(create, rotations, refusal, call):
    arguments = [] if call == "list" else [create().id]
    assert refusal(getattr(rotations, call), *arguments).status_code == 404
