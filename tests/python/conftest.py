"""What the tests with the SDK of 2026-04-16 create."""

import pytest
from didww.enums import OnCliMismatchAction
from didww.resources.authentication_method import CredentialsAndIpAuthenticationMethod
from didww.resources.did import Did
from didww.resources.voice_out_trunk import VoiceOutTrunk

pytest_plugins = ["service_fixtures"]


@pytest.fixture
def create(trunks):
    """Creates a trunk with credentials and these attributes. Returns it as the server answered it."""
    return lambda name="Main", **attributes: trunks.create(new_trunk(name, **attributes)).data


def new_trunk(name, /, **attributes):
    trunk = VoiceOutTrunk()
    trunk.name = name
    trunk.on_cli_mismatch_action = OnCliMismatchAction.REJECT_CALL
    trunk.authentication_method = credentials("203.0.113.0/24")
    for attribute, value in attributes.items():
        setattr(trunk, attribute, value)
    return trunk


def credentials(*networks, **attributes):
    return CredentialsAndIpAuthenticationMethod(allowed_sip_ips=list(networks), **attributes)


def did(id):
    """A DID with only an id, as the SDK's examples link one."""
    return Did.build(id)
