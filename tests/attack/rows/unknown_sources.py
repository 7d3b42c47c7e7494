"""Packets to the SIP port from addresses that no trunk names."""

import select
import socket
import time

from .. import measure, sip
from ..case import attack
from ..flood import Known, Unknown
from ..phone import Phone, datagram_socket


@attack("unknown-flood")
def unknown_flood(case):
    """20,000 datagrams a second from 10,000 addresses: INVITE, REGISTER, OPTIONS and garbage. Beside them calls of a
    known source are placed, once where every trunk names its addresses, once where one allows every address.
    """
    flood(case, "no trunk allows any address", ("127.0.0.2",))
    flood(case, "a trunk allows any address", ("0.0.0.0/0",))


def flood(case, what, allowed):
    rate, seconds = case.size((20_000, 60), (20_000, 10))
    if not case.short and allowed != ("127.0.0.2",):
        seconds = 30
    server = case.server()
    trunk = server.account.trunk(allowed=allowed)
    with Phone(server, "127.0.0.2", trunk) as phone:
        if phone.place_and_hang_up() is None:
            raise RuntimeError("the call before the flood was not answered")
        lines = server.log_lines()
        with Unknown(server.sip, 10_000, rate) as flooding, measure.Memory(server.pid) as memory:
            began = time.monotonic()
            # A caller waits for its answer as long as RFC 3261 says: 64 * T1.
            with measure.Pulse(lambda: phone.place_and_hang_up(32.0), 0.1) as calls:
                time.sleep(seconds)
            sent, lasted = flooding.sent(), time.monotonic() - began
            time.sleep(0.5)
        lines = server.log_lines() - lines
    case.at_least(f"{what}: datagrams a second", sent / lasted, rate * case.size(0.8, 0.25))
    case.at_least(f"{what}: calls beside it", len(calls.seconds), case.size(30, 3))
    case.at_most(f"{what}: calls that failed", calls.failed, 0)
    case.at_most(f"{what}: memory grows by", memory.growth, 50.0, "MB")
    case.at_most(f"{what}: lines of log", lines, 100)


@attack("reflector-sip", patient=True)
def reflector_sip(case):
    """An address that no trunk names sends one request of each method, a cut one, garbage, and the same ten times: it
    gets at most twice its bytes, repetitions of the answer included.
    """
    narrow, wide = case.server(), case.server()
    narrow.account.trunk(allowed=("127.0.0.2",))
    wide.account.trunk(allowed=("0.0.0.0/0",))
    for what, worst, name in reflect({"no trunk allows any address": narrow, "a trunk allows any address": wide}):
        case.at_most(f"{what}: bytes back for each byte sent ({name})", worst, 2.0)


@attack("known-flood")
def known_flood(case):
    """A source that a trunk names sends INVITEs without credentials, as fast as it can, and acknowledges no answer. Calls
    of another trunk's source go on.
    """
    rate, seconds = case.size((10_000, 20), (10_000, 9))
    server = case.server()
    server.account.trunk(allowed=("127.0.0.66",))
    trunk = server.account.trunk(allowed=("127.0.0.2",))
    with Phone(server, "127.0.0.2", trunk) as phone:
        phone.place_and_hang_up()
        lines = server.log_lines()
        with Known(server.sip, "127.0.0.66", rate) as flooding, measure.Memory(server.pid) as memory:
            began = time.monotonic()
            with measure.Pulse(lambda: phone.place_and_hang_up(32.0), 0.1) as calls:
                time.sleep(seconds)
            sent = flooding.sent() / (time.monotonic() - began)
        lines = server.log_lines() - lines
    case.at_least("INVITEs a second", sent, rate * 0.25)
    case.at_most("calls of another source that failed", calls.failed, 0)
    case.at_least("calls of another source", len(calls.seconds), 5)
    case.at_most("memory grows by", memory.growth, 150.0, "MB")
    case.at_most("lines of log", lines, 1_000)


# Longer than anything is repeated (RFC 3261: 64 * T1).
WATCHED = 35.0
METHODS = ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "MESSAGE", "SUBSCRIBE", "UPDATE", "PRACK", "FOO")


def requests(local, host):
    """Name and datagrams of each attempt."""
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
    """Sends every attempt from an address of its own; what came back to the worst of each server."""
    attempts = []
    for network, (what, server) in enumerate(servers.items()):
        for number, _ in enumerate(requests(("127.0.0.1", 1), "a")):
            own = datagram_socket(f"127.77.{network}.{1 + number}")
            name, datagrams = list(requests(own.getsockname(), server.sip[0]))[number]
            for datagram in datagrams:
                own.sendto(datagram, server.sip)
            attempts.append([what, own, name, sum(map(len, datagrams)), 0])
    end = time.monotonic() + WATCHED
    while (left := end - time.monotonic()) > 0:
        for ready in select.select([attempt[1] for attempt in attempts], [], [], left)[0]:
            attempt = next(attempt for attempt in attempts if attempt[1] is ready)
            attempt[4] += len(ready.recv(65_536, socket.MSG_DONTWAIT))
    for attempt in attempts:
        attempt[1].close()
    for what in servers:
        yield max(((what, back / sent, name) for server, _, name, sent, back in attempts if server == what),
                  key=lambda attempt: attempt[1])
