"""One server for the whole run, and a separate account for each test, so that no test sees another's records.

Both suites load this as a plugin: `tests/python`, and `tests/python-2022-05-10` with the SDK of that version.
"""

import os

import pytest
from didww.client import DidwwClient
from didww.exceptions import DidwwApiError

from trunk_server import Server

# Countries, groups of numbers and prices, which every account shares.
REFERENCE_DATA = ("--reference-data", "demo")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    # Loopback is reached without the machine's proxy, if it has one.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    running = Server(tmp_path_factory.mktemp("server") / "log", "python-sdk-key", *REFERENCE_DATA)
    yield running
    assert running.stop() == 0, f"the server ended badly:\n{running.log.read_text()}"


@pytest.fixture
def connect(server):
    """Creates SDK clients. Only `base_url` differs from a program that connects to DIDWW."""
    made = []

    def connect(api_key):
        made.append(DidwwClient(api_key=api_key, base_url=server.base_url))
        return made[-1]

    yield connect
    for client in made:
        client._session.close()


@pytest.fixture
def demo(connect, server):
    """The client of the account that the command line created, with its six DIDs."""
    return connect(server.api_key)


@pytest.fixture
def create_account(server):
    """Creates accounts that are deleted with the test: on one server, a number is the DID of one account at a time."""
    made = []

    def create_account():
        made.append(server.control.create_account())
        return made[-1]

    yield create_account
    for account in made:
        account.delete()


@pytest.fixture
def account(create_account):
    return create_account()


@pytest.fixture
def client(connect, account):
    return connect(account.api_key)


@pytest.fixture
def trunks(client):
    return client.voice_out_trunks()


@pytest.fixture
def refusal():
    """Calls a function that the server must refuse. Returns the SDK's exception."""

    def refusal(call, *arguments):
        with pytest.raises(DidwwApiError) as caught:
            call(*arguments)
        return caught.value

    return refusal


@pytest.fixture
def refused_by_rule(refusal):
    """The same for a validation error. Returns the detail and pointer of the only error."""

    def refused_by_rule(call, *arguments):
        error = refusal(call, *arguments)
        assert error.status_code == 422
        assert len(error.errors) == 1, error.errors
        [only] = error.errors
        assert (only["code"], only["status"]) == ("100", "422")
        assert only["detail"].endswith(only["title"])
        return only["detail"], only["source"]["pointer"]

    return refused_by_rule
