"""Answers at the SIP port that would make it an amplifier."""

import select
import socket
import time

from .. import sip
from ..case import attack
from ..phone import datagram_socket

# In seconds: longer than any retransmission (RFC 3261: 64 * T1).
WATCH_SECONDS = 35.0
METHODS = ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "MESSAGE", "SUBSCRIBE", "UPDATE", "PRACK", "FOO")


@attack("reflector-sip", waits=True)
def reflector_sip(case):
    """An address that no trunk names sends one request of each method, a truncated one, garbage, and the same ten
    times: it receives at most twice its bytes, retransmissions of the answer included.
    """
    narrow, wide = case.server(), case.server()
    narrow.account.trunk(allowed=("127.0.0.2",))
    wide.account.trunk(allowed=("0.0.0.0/0",))
    for what, worst, name in reflect({"no trunk allows any address": narrow, "a trunk allows any address": wide}):
        case.at_most(f"{what}: bytes back for each byte sent ({name})", worst, 2.0)


def requests(local, host):
    """Returns name and datagrams of each attempt."""
    uri = f"sip:442079460018@{host}"
    for method in METHODS:
        yield method, [sip.request(method, uri, local=local)]
    yield "INVITE with an offer", [sip.request("INVITE", uri, local=local, body=sip.offer(*local))]
    same = sip.request("INVITE", uri, local=local)
    yield "the same INVITE ten times", [same] * 10
    via = f"Via: SIP/2.0/UDP {local[0]}:{local[1]};branch=z9hG4bK{sip.unique()}"
    short = f"INVITE sip:1@a SIP/2.0\r\n{via}\r\nf:<sip:a@a>;tag=1\r\nt:<sip:1@a>\r\ni:1\r\nCSeq:1 INVITE\r\n"
    yield "the shortest INVITE", [short.encode() + b"\r\n"]
    yield "the shortest OPTIONS", [short.replace("INVITE", "OPTIONS").encode() + b"\r\n"]
    yield "an INVITE without Via", [same.replace(b"Via:", b"Xia:")]
    yield "an INVITE of an unknown version", [same.replace(b"SIP/2.0\r", b"SIP/9.0\r", 1)]
    yield "a wrong digest", [sip.request("INVITE", uri, local=local, headers=[
        'Authorization: Digest username="a", realm="out.didww.com", nonce="b", uri="c", response="d"'])]
    yield "garbage", [b"\r\n\r\n", b"\0" * 40, b"GET / HTTP/1.1\r\n\r\n"]


def reflect(servers):
    """Sends every attempt from a separate address. Returns the largest answer of each server."""
    attempts = []
    for network, (what, server) in enumerate(servers.items()):
        for number, _ in enumerate(requests(("127.0.0.1", 1), "a")):
            own = datagram_socket(f"127.77.{network}.{1 + number}")
            name, datagrams = list(requests(own.getsockname(), server.sip[0]))[number]
            for datagram in datagrams:
                own.sendto(datagram, server.sip)
            attempts.append([what, own, name, sum(map(len, datagrams)), 0])
    end = time.monotonic() + WATCH_SECONDS
    while (left := end - time.monotonic()) > 0:
        for ready in select.select([attempt[1] for attempt in attempts], [], [], left)[0]:
            attempt = next(attempt for attempt in attempts if attempt[1] is ready)
            attempt[4] += len(ready.recv(65_536, socket.MSG_DONTWAIT))
    for attempt in attempts:
        attempt[1].close()
    for what in servers:
        yield max(((what, back / sent, name) for server, _, name, sent, back in attempts if server == what),
                  key=lambda attempt: attempt[1])
