"""Connections that are opened and then send nothing, or almost nothing."""

import contextlib
import resource
import socket
import ssl
import subprocess
import time

from .. import measure, sip
from ..api import send
from ..case import attack
from ..population import populate
from ..wellbeing import api

# The defaults of `connections` and `connections_per_address`, and as many addresses as fill the former.
ROOM, SHARE, ADDRESSES = 10_000, 256, 40


@attack("half-open")
def half_open(case):
    """One address opens connections to the API and begins a request on each. Other addresses are answered as
    before. The address holds only its share; beyond it, one of its own connections is closed, or it receives the
    documented 503.
    """
    # Limited by the number of files that this process may open.
    count = min(case.size(10_200, 1_500), resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    server = case.server()
    host, _, port = server.api.rpartition(":")
    with opened(count, "127.0.0.3", (host, int(port)), b"GET /v3/dids HTTP/1.1\r\nHost: a\r\nX-Half:") as sockets:
        with measure.Pulse(lambda: api(server, "127.0.0.2"), 0.02) as others:
            time.sleep(case.size(3.0, 1.0))
        case.at_most("another address's read, median", others.median, case.size(0.05, 1.0), "s")
        case.at_most("another address's reads that failed", others.failed, 0)
        case.at_most("connections that the address holds", sum(map(alive, sockets)), 256)
        further = [send(server.api, "GET", "/livez", source="127.0.0.3") for _ in range(20)]
        right = sum(answer.status == 200 or answer.status == 503 and answer.retry_after is not None
                    for answer in further)
        case.at_least("of 20 further requests of it answered with 200, or 503 and Retry-After", right, 20)


@attack("full-listener", short=False)
def full_listener(case):
    """Forty addresses open more connections to the API than it has room for, each within the share of one address.
    While each has only begun a request, requests of another address with a key are answered as before. When each has
    had an answer, such a request is answered within the documented 5 seconds, and has 503 with `Retry-After` until then.
    """
    server = case.server()
    host, _, port = server.api.rpartition(":")
    target = (host, int(port))
    # Limited by the number of files that this process may open.
    each = min(SHARE, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // ADDRESSES)
    sources = [f"127.0.3.{1 + number}" for number in range(ADDRESSES)]
    with contextlib.ExitStack() as ends:
        for source in sources:
            ends.enter_context(opened(each, source, target, b"GET /v3/dids HTTP/1.1\r\nHost: a\r\nX-Half:"))
        with measure.Pulse(lambda: api(server, "127.0.0.2"), 0.02) as others:
            time.sleep(3.0)
    case.at_most("half open: another address's read, median", others.median, 0.05, "s")
    case.at_most("half open: another address's reads that failed", others.failed, 0)
    with contextlib.ExitStack() as ends:
        idle = []
        for source in sources:
            sockets = ends.enter_context(opened(each, source, target, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"))
            idle += served(sockets)
        case.at_least("idle: connections that the addresses hold", sum(map(alive, idle)), min(ROOM, ADDRESSES * each))
        began, answers = time.monotonic(), []
        while time.monotonic() - began < 10:
            answers.append(server.account.send("GET", "voice_out_trunks?page[size]=1", source="127.0.0.2"))
            if answers[-1].status == 200:
                break
            time.sleep(0.1)
        case.at_most("idle: until another address's read is answered", time.monotonic() - began, 6.0, "s")
        wrong = sum(answer.status != 200 and not (answer.status == 503 and answer.retry_after is not None)
                    for answer in answers)
        case.at_most("idle: its answers that are neither 200, nor 503 and Retry-After", wrong, 0)
        with measure.Pulse(lambda: api(server, "127.0.0.2"), 0.05) as others:
            time.sleep(2.0)
        case.at_most("idle: its reads that failed afterwards", others.failed, 0)


def served(sockets):
    """Reads the answer on each connection. Returns the connections that were answered with 200."""
    kept = []
    for each in sockets:
        each.settimeout(2)
        with contextlib.suppress(OSError):
            if each.recv(4096).startswith(b"HTTP/1.1 200 "):
                kept.append(each)
        each.setblocking(False)
    return kept


@attack("sip-connections")
def sip_connections(case):
    """Five addresses open idle connections to the SIP ports over TCP and TLS. A request from another address is
    answered over both.
    """
    certificate = made_certificate(case.folder)
    server = case.server("--sip-tls-listen", "127.0.0.1:0", "--tls-cert", str(certificate), "--tls-key",
                         str(certificate.with_suffix(".key")))
    server.account.trunk(allowed=("127.0.0.2",))
    for what, port in (("TCP", server.sip), ("TLS", server.sip_tls)):
        with contextlib.ExitStack() as ends:
            for number in range(5):
                ends.enter_context(opened(256, f"127.0.0.{10 + number}", port, b""))
            over_tcp = [options(server.sip, "127.0.0.2", None) for _ in range(5)]
            over_tls = [options(server.sip_tls, "127.0.0.2", certificate) for _ in range(5)]
            case.at_most(f"idle over {what}: slowest OPTIONS over TCP", measure.percentile(over_tcp, 1), 1.0, "s")
            case.at_most(f"idle over {what}: slowest OPTIONS over TLS", measure.percentile(over_tls, 1), 1.0, "s")


@attack("slow-requests", short=False)
def slow_requests(case):
    """Requests whose headers or bodies arrive a byte at a time, and bodies with any announced size: each ends at
    its deadline, none is kept in memory, and other clients are answered.
    """
    server = case.server()
    host, _, port = server.api.rpartition(":")
    count = 200
    head = b"POST /v3/voice_out_trunks HTTP/1.1\r\nHost: a\r\nApi-Key: attacked-key\r\n"
    huge = head + b"Content-Length: 99999999999\r\n\r\n"
    chunks = head + b"Transfer-Encoding: chunked\r\n\r\n" + 2 * (b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
    with measure.Memory(server.pid) as memory, contextlib.ExitStack() as ends:
        slow = ends.enter_context(opened(count, "127.0.0.3", (host, int(port)), b"GET / HTTP/1.1\r\nX"))
        ends.enter_context(opened(count, "127.0.0.4", (host, int(port)), huge + b"x" * 4096))
        ends.enter_context(opened(count // 4, "127.0.0.5", (host, int(port)), chunks))
        began = time.monotonic()
        with measure.Pulse(lambda: api(server, "127.0.0.2"), 0.05) as others:
            while time.monotonic() - began < 20.0 and any(map(alive, slow)):
                for each in slow:
                    with contextlib.suppress(OSError):
                        each.send(b"x")
                time.sleep(0.5)
        case.at_most("headers that never end are taken for", time.monotonic() - began, 13.0, "s")
        case.at_most("another address's read, median", others.median, case.size(0.05, 1.0), "s")
        case.at_most("another address's reads that failed", others.failed, 0)
    case.at_most("memory grows by", memory.growth, 100.0, "MB")


@attack("unread-answers")
def unread_answers(case):
    """Five addresses repeatedly request a thousand trunks on each of hundreds of connections, and read no answer.
    Memory is bounded and other clients are answered.
    """
    server = case.server()
    attacker = server.control.account(server, name="attacker", api_key="attacker")
    populate(server, attacker, 1000)
    host, _, port = server.api.rpartition(":")
    asked = ("GET /v3/voice_out_trunks?page[size]=1000 HTTP/1.1\r\nHost: a\r\nApi-Key: attacker\r\n"
             "X-DIDWW-API-Version: 2026-04-16\r\n\r\n").encode() * 4
    count = case.size(200, 60)
    with measure.Memory(server.pid) as memory, contextlib.ExitStack() as ends:
        for number in range(5):
            ends.enter_context(opened(count, f"127.0.0.{10 + number}", (host, int(port)), asked))
        with measure.Pulse(lambda: api(server, "127.0.0.2"), 0.05) as others:
            time.sleep(case.size(10.0, 3.0))
    case.at_most("another address's read, median", others.median, case.size(0.25, 1.0), "s")
    case.at_most("another address's reads that failed", others.failed, 0)
    case.at_most("memory grows by", memory.growth, 400.0, "MB")


@attack("endless-messages")
def endless_messages(case):
    """Connections to the SIP port over TCP send endless headers, or an endless body: the data is not kept for long,
    and requests of other clients are answered.
    """
    server = case.server()
    server.account.trunk(allowed=("127.0.0.3", "127.0.0.2"))
    header = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nX-Long: "
    body = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nContent-Length: 2000000000\r\n\r\n"
    with measure.Memory(server.pid) as memory, contextlib.ExitStack() as ends:
        for text in (header, body):
            sockets = ends.enter_context(opened(100, "127.0.0.3", server.sip, text))
            for _ in range(64):
                for each in sockets:
                    with contextlib.suppress(OSError):
                        each.send(b"x" * 65_536)
        seconds = [options(server.sip, "127.0.0.2", None) for _ in range(5)]
    case.at_most("another address's OPTIONS over TCP, slowest", measure.percentile(seconds, 1.0), 1.0, "s")
    case.at_most("memory grows by", memory.growth, 50.0, "MB")


@contextlib.contextmanager
def opened(count, source, target, text):
    """Opens connections from an address, each with the beginning of a request; refused connections are not retried."""
    sockets = []
    try:
        for _ in range(count):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(made)
            # The kernel then chooses the source port at the connection, so each connection can have its own.
            made.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            made.settimeout(2)
            with contextlib.suppress(OSError):
                made.bind((source, 0))
                made.connect(target)
                made.sendall(text)
            made.setblocking(False)
        yield sockets
    finally:
        for made in sockets:
            made.close()


def alive(connection):
    """Whether the server has neither answered on a connection nor closed it."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"?"
    except BlockingIOError:
        return True
    except OSError:
        return False


def options(target, source, certificate):
    """Returns the seconds that an OPTIONS took over a new stream; None if it was not answered."""
    started = time.monotonic()
    try:
        with contextlib.ExitStack() as ends:
            stream = ends.enter_context(socket.create_connection(target, 3, (source, 0)))
            local = stream.getsockname()
            if certificate:
                context = ssl.create_default_context(cafile=str(certificate))
                stream = ends.enter_context(context.wrap_socket(stream, server_hostname=target[0]))
            stream.sendall(sip.request("OPTIONS", f"sip:{target[0]}", local=local,
                                       transport="TLS" if certificate else "TCP"))
            return time.monotonic() - started if stream.recv(4096).startswith(b"SIP/2.0 ") else None
    except OSError:
        return None


def made_certificate(folder):
    """Creates a certificate for the attack, with its key beside it."""
    file = folder / "sip.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=attacked", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    str(file.with_suffix(".key")), "-out", str(file)], check=True, capture_output=True)
    return file
