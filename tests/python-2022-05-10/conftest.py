"""What the tests with the SDK of 2022-05-10 create. Its trunks have flat addresses and credentials."""

import pytest
from didww.enums import OnCliMismatchAction
from didww.resources.did import Did
from didww.resources.voice_out_trunk import VoiceOutTrunk

pytest_plugins = ["service_fixtures"]


@pytest.fixture
def create(trunks):
    """Creates a trunk with these attributes. Returns it as the server answered it."""
    return lambda name="Main", **attributes: trunks.create(new_trunk(name, **attributes)).data


@pytest.fixture
def create_pool(account):
    """Stores a capacity pool of the account, as an order would. Returns its id."""

    def create_pool(name="Standard", **attributes):
        attributes = {"name": name, "renew_date": "2026-12-01", "total_channels_count": 30, **attributes}
        path = f"accounts/{account.id}/records/capacity_pools"
        return account.control.send("POST", path, attributes=attributes)["id"]

    return create_pool


def new_trunk(name, /, **attributes):
    trunk = VoiceOutTrunk()
    trunk.name = name
    trunk.on_cli_mismatch_action = OnCliMismatchAction.REJECT_CALL
    trunk.allowed_sip_ips = ["203.0.113.0/24"]
    for attribute, value in attributes.items():
        setattr(trunk, attribute, value)
    return trunk


def did(id):
    """A DID with only an id, as the SDK's examples link one."""
    return Did.build(id)
