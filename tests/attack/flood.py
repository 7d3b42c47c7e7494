"""Floods, each in a separate process, so that measurements beside them are not delayed by them.

One socket sends from any address of 127.0.0.0/8: the source is chosen for each datagram (`IP_PKTINFO`), as a sender
of forged packets does.
"""

import multiprocessing
import socket
import struct
import time

from . import rtp, sip

IP_PKTINFO = 8  # The value on Linux; Python does not define it.
SPAWN = multiprocessing.get_context("spawn")
# In seconds; a flood that its attack does not end stops by itself.
MAX_SECONDS = 120.0


def source(address):
    """Ancillary data that sets a datagram's source address."""
    info = struct.pack("@i4s4s", 0, socket.inet_aton(address), bytes(4))
    return [(socket.IPPROTO_IP, IP_PKTINFO, info)]


def sources(count):
    """Returns `count` addresses, 250 in each network."""
    return [f"127.{100 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}" for number in range(count)]


class Flood:
    """Runs the static method `flood` of a subclass, with the constructor's arguments, until the block ends."""

    def __init__(self, *arguments):
        self._sent, self._ready, self._end = SPAWN.Value("Q", 0), SPAWN.Event(), SPAWN.Event()
        tools = self._sent, self._ready, self._end
        self._process = SPAWN.Process(target=self.flood, args=(tools, *arguments), daemon=True)

    def __enter__(self):
        self._process.start()
        if not self._ready.wait(20):
            raise RuntimeError("a flood did not start")
        return self

    def __exit__(self, *_):
        self._end.set()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def sent(self):
        return self._sent.value


def paced(tools, rate, act):
    """Calls `act(number)` at this rate a second until the flood ends."""
    sent, ready, end = tools
    ready.set()
    started, number = time.monotonic(), 0
    while not end.is_set() and time.monotonic() - started < MAX_SECONDS:
        due = int((time.monotonic() - started) * rate)
        # After a delay, only part of the backlog is sent at once.
        for _ in range(min(due - number, 500)):
            try:
                act(number)
            except OSError:
                pass
            number += 1
        sent.value = number
        time.sleep(0.002)


class Media(Flood):
    """Packets to media ports: one in four is RTP of the caller, the others are from strangers, too large, or not
    RTP.
    """

    @staticmethod
    def flood(tools, targets, caller, rate):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            own.bind((caller, 0))
            other.bind(("127.0.0.77", 0))
            kinds = [(own, rtp.packet(1)), (other, rtp.packet(2)), (own, rtp.packet(3, b"\xff" * 9000)),
                     (own, b"\x00garbage" * 20)]

            def act(number):
                sender, data = kinds[number % len(kinds)]
                sender.sendto(data, targets[number // len(kinds) % len(targets)])

            paced(tools, rate, act)


class Unknown(Flood):
    """Datagrams of every kind to a SIP port, from `count` addresses."""

    @staticmethod
    def flood(tools, target, count, rate):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            # The kernel drops answers, because they are never read.
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sender.bind(("0.0.0.0", 0))
            port = sender.getsockname()[1]
            addresses = sources(count)
            infos = [source(address) for address in addresses]

            def act(number):
                # Consecutive packets come from distant addresses.
                at = number * 7919 % count
                sender.sendmsg([datagram(number, addresses[at], port, target[0])], infos[at], 0, target)

            paced(tools, rate, act)


class Known(Flood):
    """INVITEs without credentials to a SIP port, all from one address, whose answers are never acknowledged."""

    @staticmethod
    def flood(tools, target, address, rate):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sender.bind((address, 0))
            port = sender.getsockname()[1]
            paced(tools, rate, lambda number: sender.sendto(datagram(4 * number, address, port, target[0]), target))


class InCall(Flood):
    """Requests in an active call, from the caller's address: re-INVITE, UPDATE, INFO, OPTIONS, never acknowledged."""

    def __init__(self, target, call, media, rate):
        dialog = {"call_id": call.id, "sender": call.sender, "to": call.to}
        super().__init__(target, call.phone.local[0], call.target, dialog, media, rate)

    @staticmethod
    def flood(tools, target, address, uri, dialog, media, rate):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sender.bind((address, 0))
            local, offer = sender.getsockname(), sip.offer(*media)

            def act(number):
                method = ("INVITE", "UPDATE", "INFO", "OPTIONS")[number % 4]
                body = offer if number % 4 < 2 else b""
                sender.sendto(sip.request(method, uri, local=local, sequence=1000 + number, body=body, **dialog), target)

            paced(tools, rate, act)


KINDS = ("INVITE", "REGISTER", "OPTIONS", None)


def datagram(number, address, port, host):
    method = KINDS[number % len(KINDS)]
    if method is None:
        return b"\x16\x03\x01garbage that is no message" * (1 + number % 8)
    own = f"{number:x}"
    uri = f"sip:{host}" if method == "REGISTER" else f"sip:442079460018@{host}"
    return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address}:{port};branch=z9hG4bK{own}\r\n"
            f"From: <sip:12025550143@{address}>;tag={own}\r\nTo: <{uri}>\r\nCall-ID: {own}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:x@{address}:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()
