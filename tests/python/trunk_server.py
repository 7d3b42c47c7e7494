"""The real binary as a child process, and its control API.

The tests use the server's API only through the official SDK. Actions that the SDK does not have, because DIDWW's
staff performs them, use the control API.
"""

import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

import requests

WORKSPACE = Path(__file__).resolve().parents[2]
# A deadline: a working server starts in milliseconds.
SECONDS_TO_START = 30
SECONDS_TO_STOP = 30


def binary():
    """The path of the binary: TRUNK_SERVER_BINARY, or the debug build of this workspace."""
    given = os.environ.get("TRUNK_SERVER_BINARY")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or WORKSPACE / "target")
    path = Path(given) if given else target / "debug" / "trunk-server"
    if not path.is_file():
        advice = "run `cargo build -p trunk-server`, or set TRUNK_SERVER_BINARY"
        raise FileNotFoundError(f"{path} is missing: {advice}")
    return path


class Server:
    """A running server, whose addresses are read from its output."""

    def __init__(self, log, api_key, *arguments):
        # Settings in the caller's environment must not affect the server.
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRUNK_SERVER_")}
        listeners = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]
        self.log = log
        self.api_key = api_key
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [binary(), *listeners, "--ephemeral", "--api-key", api_key, "--demo", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        said = self._greeting()
        self.base_url = said["API"]
        self.control = Control(said["Control"])
        # The URL of the metrics, if they are enabled.
        self.metrics = said.get("Metrics")

    def _read(self):
        """Reads to the end, so that the server never blocks on a full pipe."""
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put(None)

    def _greeting(self):
        said = {}
        while True:
            try:
                line = self._lines.get(timeout=SECONDS_TO_START)
            except queue.Empty:
                line = None
            if line is None:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")
            label, colon, rest = line.partition(":")
            if colon and label in ("API", "Control", "Metrics"):
                said[label] = rest.strip()
            elif line.startswith("curl"):
                return said

    def stop(self):
        """Asks it to stop. Returns its exit code."""
        self.control.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()


class Control:
    """The endpoints of the control API that the tests need."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()

    def close(self):
        self.session.close()

    def send(self, method, path, **body):
        answer = self.session.request(method, f"{self.url}/{path}", json=body or None)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def create_account(self, *features):
        made = self.send("POST", "accounts", features=["outbound", *features])
        return Account(self, made["id"], made["api_key"])


class Account:
    """An account for a single test."""

    def __init__(self, control, id, api_key):
        self.control = control
        self.id = id
        self.api_key = api_key

    def delete(self):
        self.control.send("DELETE", f"accounts/{self.id}")

    def set_features(self, *features):
        self.control.send("PATCH", f"accounts/{self.id}", features=list(features))

    def add_did(self, number, emergency=False):
        """Adds a DID. Returns its id."""
        path = f"accounts/{self.id}/dids"
        added = self.control.send("POST", path, number=number, emergency_enabled=emergency)
        return added["dids"][0]["id"]

    def make_ip_only(self, trunk_id, *networks):
        path = f"accounts/{self.id}/trunks/{trunk_id}/ip_only"
        self.control.send("POST", path, allowed_sip_ips=list(networks))
