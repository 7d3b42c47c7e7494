"""A small HTTP client with timeouts, and the records that attacks create with it."""

import http.client
import itertools
import json
import time
from dataclasses import dataclass

VERSION = "2026-04-16"
MEDIA_TYPE = "application/vnd.api+json"
# In seconds; a request that takes longer counts as unanswered.
REQUEST_TIMEOUT = 5.0

_NAMES = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """An answer and the seconds that it took, including the connection. Status 0: there was no answer."""

    status: int
    seconds: float
    body: bytes = b""
    retry_after: str | None = None
    error: str = ""

    def json(self):
        return json.loads(self.body)


def send(address, method, path, body=None, headers=None, source=None, timeout=REQUEST_TIMEOUT):
    """Sends one request on a new connection. A failure below HTTP is returned as status 0."""
    started = time.monotonic()
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout,
                                            source_address=(source, 0) if source else None)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, time.monotonic() - started, error=f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    return Answer(response.status, time.monotonic() - started, text, response.getheader("Retry-After"))


class Refused(Exception):
    """A request that must succeed for the attack to be possible was refused."""


def expect(answer, what):
    if not 200 <= answer.status < 300:
        raise Refused(f"{what}: {answer.status} {answer.error}{answer.body[:300].decode(errors='replace')}")
    return answer.json()


class Control:
    """A client of the control API."""

    def __init__(self, url):
        self.address, _, base = url.removeprefix("http://").partition("/")
        self.base = "/" + base

    def send(self, method, path, body=None, timeout=REQUEST_TIMEOUT):
        text = None if body is None else json.dumps(body)
        return send(self.address, method, f"{self.base}/{path}", text, timeout=timeout)

    def get(self, path):
        return expect(self.send("GET", path), path)

    def post(self, path, **body):
        return expect(self.send("POST", path, body), path)

    def patch(self, path, **body):
        return expect(self.send("PATCH", path, body), path)

    def account(self, server, **body):
        """Creates an account."""
        made = self.post("accounts", version=VERSION, **body)
        return Account(server, made["id"], made["api_key"])


@dataclass(frozen=True)
class Trunk:
    """A trunk with the credentials for calls through it."""

    account: "Account"
    id: str
    username: str | None
    password: str | None

    def read(self):
        """Returns the trunk's document as its owner sees it."""
        answer = self.account.send("GET", f"voice_out_trunks/{self.id}")
        return expect(answer, "reading a trunk")["data"]

    def spent(self):
        return float(self.read()["meta"]["spent_amount"])

    def status(self):
        return self.read()["attributes"]["status"]


class Account:
    """An account, identified by its key."""

    def __init__(self, server, id, key):
        self.server = server
        self._id = id
        self.key = key

    @property
    def id(self):
        if self._id is None:
            # The account that the server's command line created is the oldest.
            self._id = self.server.control.get("accounts")["accounts"][0]["id"]
        return self._id

    @property
    def headers(self):
        return {"Api-Key": self.key, "X-DIDWW-API-Version": VERSION, "Content-Type": MEDIA_TYPE}

    def send(self, method, path, body=None, source=None, timeout=REQUEST_TIMEOUT, version=VERSION):
        text = None if body is None else json.dumps(body)
        headers = self.headers | {"X-DIDWW-API-Version": version}
        return send(self.server.api, method, f"/v3/{path}", text, headers, source, timeout)

    def trunk_body(self, name=None, allowed=("127.0.0.2",), **attributes):
        method = {"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": list(allowed)}}
        attributes = {"name": name or f"trunk {next(_NAMES)}", "on_cli_mismatch_action": "send_original_cli",
                      "authentication_method": method} | attributes
        return {"data": {"type": "voice_out_trunks", "attributes": attributes}}

    def create(self, name=None, source=None, **attributes):
        """Returns the answer to the creation of a trunk."""
        return self.send("POST", "voice_out_trunks", self.trunk_body(name, **attributes), source)

    def trunk(self, allowed=("127.0.0.2",), **attributes):
        """Creates a trunk whose calls are authenticated by digest, from these addresses."""
        made = expect(self.create(allowed=allowed, **attributes), "making a trunk")["data"]
        method = made["attributes"]["authentication_method"]["attributes"]
        return Trunk(self, made["id"], method["username"], method["password"])

    def trunk_by_address(self, allowed, **attributes):
        """Creates a trunk whose calls are authenticated by their source address alone."""
        made = self.trunk(allowed=allowed, **attributes)
        self.server.control.post(f"accounts/{self.id}/trunks/{made.id}/ip_only", allowed_sip_ips=list(allowed))
        return Trunk(self, made.id, None, None)
