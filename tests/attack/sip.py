"""SIP messages as bytes, built and parsed."""

import hashlib
import itertools
import os
import re
from dataclasses import dataclass

_UNIQUE = itertools.count(1)


def unique():
    """Returns a text that is unique in this run."""
    return f"{os.getpid():x}-{next(_UNIQUE):x}"


def request(method, uri, *, local, branch=None, call_id=None, sender=None, to=None, sequence=1, contact=True,
            headers=(), body=b"", transport="UDP"):
    """Returns a well-formed request. `local` is the host and port that it comes from."""
    host = f"{local[0]}:{local[1]}"
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {host};branch=z9hG4bK-{branch or unique()}",
        f"From: {sender or f'<sip:12025550143@{host}>;tag={unique()}'}",
        f"To: {to or f'<{uri}>'}",
        f"Call-ID: {call_id or unique()}",
        f"CSeq: {sequence} {method}",
        "Max-Forwards: 70",
    ]
    if contact:
        lines.append(f"Contact: <sip:caller@{host};transport={transport.lower()}>")
    lines += headers
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def offer(host, port, direction="sendrecv", version=1):
    """Returns an offer of PCMU and PCMA whose media goes to a host and port."""
    return (f"v=0\r\no=- 4711 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n").encode()


@dataclass(frozen=True)
class Message:
    """A received message."""

    first: str
    headers: tuple
    body: bytes
    size: int

    @classmethod
    def parse(cls, data):
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode(errors="replace").split("\r\n")
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in
                        (line.partition(":") for line in lines))
        return cls(first, headers, body, len(data))

    @property
    def code(self):
        """The status of a response; 0 for a request."""
        word = self.first.split(" ")
        return int(word[1]) if word[0] == "SIP/2.0" and len(word) > 1 and word[1].isdigit() else 0

    @property
    def method(self):
        return (self.header("cseq") or "0 NONE").split(" ")[-1]

    @property
    def sequence(self):
        return int((self.header("cseq") or "0").split(" ")[0])

    def header(self, name):
        return next((value for found, value in self.headers if found == name), None)

    def all(self, name):
        return [value for found, value in self.headers if found == name]

    def target(self):
        """The URI in `Contact`."""
        found = re.search(r"<([^>]+)>", self.header("contact") or "")
        return found.group(1) if found else None

    def media(self):
        """The host and port for media in the body's SDP."""
        text = self.body.decode(errors="replace")
        host, port = re.search(r"c=IN IP4 (\S+)", text), re.search(r"m=audio (\d+)", text)
        return (host.group(1), int(port.group(1))) if host and port else None


def authorization(challenge, username, password, method, uri):
    """Returns the header line that answers a challenge."""
    name = "Proxy-Authorization" if challenge.code == 407 else "Authorization"
    value = challenge.header("proxy-authenticate" if challenge.code == 407 else "www-authenticate") or ""
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', value))

    def md5(*parts):
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    realm, nonce = said.get("realm", ""), said.get("nonce", "")
    secret, asked = md5(username, realm, password), md5(method, uri)
    line = f'{name}: Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5'
    if "qop" in said:
        response = md5(secret, nonce, "00000001", "4b8d1f20", "auth", asked)
        return f'{line}, response="{response}", qop=auth, nc=00000001, cnonce="4b8d1f20"'
    return f'{line}, response="{md5(secret, nonce, asked)}"'
