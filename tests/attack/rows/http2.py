"""HTTP/2: requests that are reset at once, headers without an end, frames without a pause, and handshakes that are begun
alone. The frames are written here, because no client would send them."""

import contextlib
import http.client
import resource
import socket
import ssl
import time

from .. import measure
from ..case import attack
from .connections import alive, made_certificate, opened

HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = (8).to_bytes(4, "big")
# Connections of a flood at a time.
CONNECTIONS = 8
# In seconds.
TIMEOUT = 5.0


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def fields(key, path="/v3/dids"):
    """The header fields of a GET (RFC 7541): method and scheme by their numbers, the others as texts."""

    def text(start, value):
        return start + bytes([len(value)]) + value.encode()

    return b"\x82\x87" + text(b"\x44", path) + text(b"\x41", "127.0.0.1") + text(text(b"\x40", "api-key"), key)


class Secured:
    """A server whose API is served over TLS, and connections to it."""

    def __init__(self, case):
        self.certificate = made_certificate(case.folder)
        key = self.certificate.with_suffix(".key")
        self.server = case.server("--api-tls-cert", str(self.certificate), "--api-tls-key", str(key))
        host, _, port = self.server.api.rpartition(":")
        self.target = (host, int(port))

    def context(self, *protocols):
        context = ssl.create_default_context(cafile=str(self.certificate))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def read(self, source):
        """Returns the seconds that a read from an address took, on a new connection; None if it was not answered."""
        started = time.monotonic()
        connection = http.client.HTTPSConnection(*self.target, timeout=TIMEOUT, source_address=(source, 0),
                                                 context=self.context())
        try:
            connection.request("GET", "/v3/dids?page[size]=1", headers=self.server.account.headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return time.monotonic() - started if answer.status == 200 else None

    @contextlib.contextmanager
    def connected(self, source):
        """A connection over which HTTP/2 has begun."""
        with contextlib.ExitStack() as ends:
            plain = ends.enter_context(socket.create_connection(self.target, TIMEOUT, (source, 0)))
            stream = ends.enter_context(self.context("h2").wrap_socket(plain, server_hostname=self.target[0]))
            stream.sendall(PREFACE + frame(SETTINGS, 0, 0))
            yield stream


class Flood(measure.Watch):
    """Sends the same bytes again and again, each time on a new connection of one address."""

    def __init__(self, secured, data):
        super().__init__()
        self.secured = secured
        self.pieces = [data[start:start + 16_384] for start in range(0, len(data), 16_384)]
        # Connections that the server ended, and others.
        self.ended = self.kept = 0

    def run(self):
        while not self._end.is_set():
            try:
                with self.secured.connected("127.0.0.3") as stream:
                    for piece in self.pieces:
                        stream.sendall(piece)
                    while stream.recv(65_536):
                        pass
                self.ended += 1
            except TimeoutError:
                self.kept += 1
            except OSError:
                self.ended += 1


def flooded(case, secured, data, what=""):
    """Runs a flood, and reports what others notice of it."""
    with contextlib.ExitStack() as ends:
        memory = ends.enter_context(measure.Memory(secured.server.pid))
        others = ends.enter_context(measure.Pulse(lambda: secured.read("127.0.0.2"), 0.05))
        floods = [ends.enter_context(Flood(secured, data)) for _ in range(CONNECTIONS)]
        time.sleep(case.size(10.0, 2.0))
    case.at_least(f"{what}connections that the server ended", sum(flood.ended for flood in floods), 1)
    case.at_most(f"{what}connections that it did not end", sum(flood.kept for flood in floods), 0)
    case.at_most(f"{what}another address's read, median", others.median, case.size(0.1, 1.0), "s")
    case.at_most(f"{what}another address's reads that failed", others.failed, 0)
    case.at_most(f"{what}memory grows by", memory.growth, 100.0, "MB")


@attack("http2-reset")
def http2_reset(case):
    """One address makes requests over HTTP/2 and resets each at once, on connections that it opens anew when they are
    ended. The server ends them; reads of another address are answered as before, and memory and log are bounded.
    """
    secured = Secured(case)
    asked = fields(secured.server.account.key)
    data = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, stream, asked) + frame(RST_STREAM, 0, stream, CANCEL)
                    for stream in range(1, 8_000, 2))
    flooded(case, secured, data)
    case.at_most("lines of log", secured.server.log_lines(), 1_000)


@attack("http2-frames")
def http2_frames(case):
    """One address sends headers that do not end, and pings and settings without a pause, over HTTP/2. The server ends its
    connections; reads of another address are answered as before, and memory and log are bounded.
    """
    secured = Secured(case)
    asked = fields(secured.server.account.key)
    endless = frame(HEADERS, END_STREAM, 1, asked) + 20_000 * frame(CONTINUATION, 0, 1)
    for what, data in (("continuations: ", endless), ("pings: ", 20_000 * frame(PING, 0, 0, bytes(8))),
                       ("settings: ", 20_000 * frame(SETTINGS, 0, 0))):
        flooded(case, secured, data, what)
    case.at_most("lines of log", secured.server.log_lines(), 1_000)


@attack("tls-half-open")
def tls_half_open(case):
    """One address opens connections to the API over TLS and begins a handshake on each. Another address is answered as
    before, and the address holds only its share.
    """
    secured = Secured(case)
    # Limited by the number of files that this process may open.
    count = min(case.size(5_000, 1_000), resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    with opened(count, "127.0.0.3", secured.target, b"\x16\x03\x01\x02\x00\x01") as sockets:
        with measure.Pulse(lambda: secured.read("127.0.0.2"), 0.02) as others:
            time.sleep(case.size(3.0, 1.0))
        case.at_most("another address's read, median", others.median, case.size(0.05, 1.0), "s")
        case.at_most("another address's reads that failed", others.failed, 0)
        case.at_most("connections that the address holds", sum(map(alive, sockets)), 256)
