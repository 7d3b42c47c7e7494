"""The SDK's validator, with this project's signatures (fixtures/callbacks) and with callbacks that the server sends."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from didww.callback.request_validator import RequestValidator
from didww.client import DidwwClient
from didww.enums import VoiceOutTrunkStatus

from conftest import new_trunk
from trunk_server import Server

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "callbacks" / "signatures.json").read_text())
MAPS = [case for case in CASES if "parameters" in case]
SECRET = "secret-of-the-callbacks"
# A deadline: a callback is sent in milliseconds.
SECONDS_TO_CALL = 30


def test_there_are_enough_cases():
    assert len(MAPS) >= 20
    assert {case["valid"] for case in MAPS} == {True, False}


@pytest.mark.parametrize("case", MAPS, ids=lambda case: case["url"])
def test_the_validator_and_the_fixture_agree(case):
    validator = RequestValidator(case["key"])
    assert validator.validate(case["url"], case["parameters"], case["signature"]) is case["valid"]


@pytest.fixture
def receiver():
    """Accepts callbacks. Returns its URL and the queue of the received signatures and bodies."""
    received = queue.SimpleQueue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((self.headers["X-DIDWW-Signature"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}/trunks?opaque=123", received
        listener.shutdown()
        thread.join()


# `server` sets the proxy exception for loopback.
@pytest.mark.usefixtures("server")
def test_the_validator_accepts_the_callbacks_of_a_trunk_that_is_blocked_and_opened(receiver, tmp_path):
    url, received = receiver
    calling = Server(tmp_path / "log", "key-of-the-account", "--allow-loopback-callbacks", "--callback-secret", SECRET)
    client = DidwwClient(api_key=calling.api_key, base_url=calling.base_url)
    trunks = client.voice_out_trunks()
    try:
        trunk = trunks.create(new_trunk("Main", callback_url=url)).data
        for status in (VoiceOutTrunkStatus.BLOCKED, VoiceOutTrunkStatus.ACTIVE):
            trunk.status = status
            trunk = trunks.update(trunk).data
            signature, body = received.get(timeout=SECONDS_TO_CALL)
            [event] = json.loads(body)
            assert (event["id"], event["type"], event["status"]) == (trunk.id, "voice_out_trunks", status.value)
            # The validator accepts one map of texts. A list with one event is signed like that event.
            texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in event.items()}
            assert RequestValidator(SECRET).validate(url, texts, signature) is True
            assert RequestValidator(calling.api_key).validate(url, texts, signature) is False
            assert RequestValidator(SECRET).validate(url, {**texts, "status": "x"}, signature) is False
            assert RequestValidator(SECRET).validate(url + "4", texts, signature) is False
    finally:
        client._session.close()
        code = calling.stop()
    assert code == 0, calling.log.read_text()
