"""What `trunkctl` makes of the file of docs/provision-from-a-script.md, as the official SDK sees the same account, and the
other way round."""

import os
import subprocess

import pytest
from didww.enums import OnCliMismatchAction
from didww.query_params import QueryParams

from conftest import new_trunk
from trunk_server import WORKSPACE, binary

# A number is the DID of one account at a time, and the one of the page is that of the demo account.
NUMBER_OF_THE_PAGE, NUMBER = "12025550143", "12025550178"
DIDS = QueryParams().include("dids")


@pytest.fixture
def file(tmp_path, account):
    """The file of the page, for an account with its number."""
    page = (WORKSPACE / "docs/provision-from-a-script.md").read_text()
    _, rest = page.split("<<'YAML'\n", 1)
    declared, _ = rest.split("YAML\n", 1)
    assert NUMBER_OF_THE_PAGE in declared
    account.add_did(NUMBER)
    file = tmp_path / "trunks.yaml"
    file.write_text(declared.replace(NUMBER_OF_THE_PAGE, NUMBER))
    return file


@pytest.fixture
def trunkctl(server, account, tmp_path):
    """Runs the program for the account, in the newest version of the API. Returns its exit code and what it printed."""
    program = binary().with_name("trunkctl")
    assert program.is_file(), f"{program} is missing: run `cargo build -p trunkctl`"
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TRUNKCTL_")}
    environment |= {
        "TRUNKCTL_URL": server.base_url,
        "TRUNKCTL_API_KEY": account.api_key,
        "TRUNKCTL_CONFIG": str(tmp_path / "config.toml"),
    }

    def run(*arguments):
        ran = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stdout + ran.stderr

    return run


def test_the_sdk_sees_what_the_file_declares(trunkctl, file, trunks):
    code, plan = trunkctl("plan", "-f", file)
    assert code == 0 and "1 to create, 0 to update, 0 to delete" in plan, plan
    assert trunks.list().data == []
    code, applied = trunkctl("apply", "-f", file, "--yes")
    assert code == 0 and "applied: 1 of 1" in applied, applied
    [trunk] = trunks.list(DIDS).data
    assert (trunk.name, trunk.capacity_limit) == ("Berlin", 20)
    assert trunk.on_cli_mismatch_action == OnCliMismatchAction.REJECT_CALL
    assert trunk.external_reference_id == "trunkctl:netops:Berlin"
    assert trunk.authentication_method.allowed_sip_ips == ["203.0.113.7/32"]
    assert [did.number for did in trunk.dids] == [NUMBER]


def test_what_the_sdk_changes_is_drift_and_applied_away_without_new_credentials(trunkctl, file, trunks):
    trunkctl("apply", "-f", file, "--yes")
    [trunk] = trunks.list().data
    before = (trunk.authentication_method.username, trunk.authentication_method.password)
    trunk.capacity_limit = 21
    trunks.update(trunk)
    code, drift = trunkctl("drift", "-f", file)
    assert code == 3 and "capacity_limit: 21 -> 20" in drift, drift
    code, applied = trunkctl("apply", "-f", file, "--yes")
    assert code == 0, applied
    [trunk] = trunks.list().data
    assert trunk.capacity_limit == 20
    assert (trunk.authentication_method.username, trunk.authentication_method.password) == before
    assert trunkctl("drift", "-f", file)[0] == 0


def test_what_the_sdk_creates_is_dumped_and_only_what_the_file_owns_is_pruned(trunkctl, file, trunks, tmp_path):
    trunkctl("apply", "-f", file, "--yes")
    trunks.create(new_trunk("Rome"))
    code, dumped = trunkctl("dump", "voice-out-trunks", "-o", "yaml")
    assert code == 0 and "Rome" in dumped and "Berlin" in dumped, dumped
    none = tmp_path / "none.yaml"
    none.write_text("owner: netops\n")
    code, applied = trunkctl("apply", "-f", none, "--yes", "--prune")
    assert code == 0, applied
    assert [trunk.name for trunk in trunks.list().data] == ["Rome"]
