"""The server as a process, with credentials for each of its APIs."""

import json
import os
import signal
import subprocess
import time
import urllib.request

KEY = "contract-key"
ADMIN = ("contract", "a password of the contract tests")
# Deadlines: a working server starts and stops in milliseconds.
SECONDS_TO_START = 60
SECONDS_TO_STOP = 15
# Health checks would send requests to hosts that a test invented.
CONFIG = """
[voipbin]
probe_interval = 0
login_rate = [0, 0]

[[prices.voice_in]]
destination = "1"
source_type = "fixed"
rate = "0.02"

[[prices.sms_out_a2p]]
country = "GB"
price = "0.05"

[[prices.sms_out_p2p]]
reject_sms = true

[[prices.sms_in]]
price = "0.01"
"""
# The documents of the price services, which are at the address of the API for requests that name these hosts.
PRICES = {"voice-in-prices": "api-vin.didww.com", "voice-out-prices": "api-vout.didww.com", "sms-prices": "api-sms.didww.com"}


class Server:
    """A running server, whose addresses are read from its output. It is killed when the block ends, if it still runs."""

    def __init__(self, binary, folder, name):
        self.log = folder / f"{name}.log"
        greeting, config = folder / f"{name}.out", folder / f"{name}.toml"
        config.write_text(CONFIG)
        # Settings in the caller's environment must not affect the server.
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRUNK_SERVER_")}
        # Loopback is reached without the machine's proxy, if it has one.
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        command = [str(binary.resolve()), "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--sip-listen", "127.0.0.1:0",
                   "--ephemeral", "--demo", "--journal", "100", "--api-key", KEY, "--voipbin-admin", ":".join(ADMIN), "--config", str(config)]
        with open(self.log, "wb") as log, open(greeting, "wb") as out:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        said = self._greeting(greeting)
        self.api = said["API"].removesuffix("/v3")
        self.control = said["Control"]

    def _greeting(self, file):
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end and self.is_up():
            text = file.read_text()
            if "Try it" in text:
                pairs = (line.strip().partition(":") for line in text.splitlines())
                return {label: rest.strip() for label, _, rest in pairs}
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()}\n{file.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def is_up(self):
        return self.process.poll() is None

    def url(self, document):
        """The base of the paths of a document."""
        others = {"control": self.control, "voipbin": f"{self.api}/v1.0", "published token": self.api}
        return others.get(document, f"{self.api}/v3")

    def send(self, document, path, body=None, headers=None, method=None):
        """Sends a request that must succeed, and returns the document in the answer, if it has one."""
        pairs = (header.split(": ", 1) for header in self.credentials(document))
        data = None if body is None else json.dumps(body).encode()
        kind = "application/json" if document in ("control", "voipbin") else "application/vnd.api+json"
        headers = headers or {"Content-Type": kind, **dict(pairs)}
        request = urllib.request.Request(f"{self.url(document)}{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def credentials(self, document):
        """The headers of every request to the API of a document."""
        if document == "control":
            return []
        if document == "voipbin":
            body = json.dumps({"username": ADMIN[0], "password": ADMIN[1]}).encode()
            with urllib.request.urlopen(f"{self.api}/auth/login", data=body) as answer:
                return [f"Authorization: Bearer {json.load(answer)['token']}"]
        if document == "published token":
            return [f"Api-Key: {KEY}"]
        if document in PRICES:
            host = PRICES[document]
            return [f"Host: {host}", self._bearer({"aud": host, "scope": "read", "expires_in": 3600})]
        version = document.removeprefix("published ")
        if version >= "2026-11-19":
            return [self._bearer({"aud": "api.didww.com", "api_version": version, "expires_in": 3600})]
        return [f"Api-Key: {KEY}", f"X-DIDWW-API-Version: {version}"]

    def _bearer(self, members):
        """The header with a new access token."""
        request = urllib.request.Request(f"{self.api}/token", data=json.dumps(members).encode(), headers={"Api-Key": KEY})
        with urllib.request.urlopen(request) as answer:
            return f"Authorization: Bearer {json.load(answer)['access_token']}"
