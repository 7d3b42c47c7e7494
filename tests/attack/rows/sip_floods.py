"""Floods at the SIP port."""

import time

from .. import measure
from ..case import attack
from ..flood import InCall, Known, Unknown
from ..phone import Phone


@attack("unknown-flood")
def unknown_flood(case):
    """20,000 datagrams a second (short form: 8,000) from 10,000 addresses: INVITE, REGISTER, OPTIONS and garbage.
    Meanwhile a known source places calls, once when every trunk names its addresses, once when one trunk allows
    every address.
    """
    flood(case, "no trunk allows any address", ("127.0.0.2",))
    flood(case, "a trunk allows any address", ("0.0.0.0/0",))


def flood(case, what, allowed):
    rate, seconds = case.size((20_000, 60), (8_000, 10))
    server = case.server()
    trunk = server.account.trunk(allowed=allowed)
    with Phone(server, "127.0.0.2", trunk) as phone:
        if phone.place_and_hang_up() is None:
            raise RuntimeError("the call before the flood was not answered")
        lines = server.log_lines()
        with Unknown(server.sip, 10_000, rate) as flooding, measure.Memory(server.pid) as memory:
            began = time.monotonic()
            # A caller waits for its answer for the time in RFC 3261: 64 * T1.
            with measure.Pulse(lambda: phone.place_and_hang_up(32.0), 0.1) as calls:
                time.sleep(seconds - 2)
                with Phone(server, "127.9.9.9", trunk) as newcomer:
                    fresh = newcomer.place_and_hang_up(32.0) if allowed == ("0.0.0.0/0",) else None
                time.sleep(2)
            sent, lasted = flooding.sent(), time.monotonic() - began
            time.sleep(0.5)
        lines = server.log_lines() - lines
    case.at_least(f"{what}: datagrams a second", sent / lasted, rate * case.size(0.8, 0.5))
    case.at_least(f"{what}: calls beside it", len(calls.seconds), case.size(30, 3))
    case.at_most(f"{what}: calls that failed", calls.failed, 0)
    if allowed == ("0.0.0.0/0",):
        case.at_most(f"{what}: first call of a new address", fresh, 32.0, "s")
    case.at_most(f"{what}: memory grows by", memory.growth, 50.0, "MB")
    case.at_most(f"{what}: lines of log", lines, 100)


@attack("known-flood")
def known_flood(case):
    """A source that a trunk names sends INVITEs without credentials, as fast as it can, and acknowledges no answer.
    Calls from another trunk's source continue.
    """
    rate, seconds = case.size((10_000, 20), (10_000, 9))
    server = case.server()
    server.account.trunk(allowed=("127.0.0.66",))
    trunk = server.account.trunk(allowed=("127.0.0.2",))
    with Phone(server, "127.0.0.2", trunk) as phone:
        phone.place_and_hang_up()
        beside(case, server, phone, Known(server.sip, "127.0.0.66", rate), rate, seconds)


def beside(case, server, phone, flood, rate, seconds):
    """Measures a phone's calls during a flood from another source, and the state that the flood leaves behind."""
    lines = server.log_lines()
    with flood, measure.Memory(server.pid) as memory:
        began = time.monotonic()
        with measure.Pulse(lambda: phone.place_and_hang_up(32.0), 0.1) as calls:
            time.sleep(seconds)
        sent = flood.sent() / (time.monotonic() - began)
    lines = server.log_lines() - lines
    case.at_least("requests a second of the flood", sent, rate * 0.25)
    case.at_most("calls of another source that failed", calls.failed, 0)
    case.at_least("calls of another source", len(calls.seconds), 3)
    case.at_most("memory grows by", memory.growth, 75.0, "MB")
    case.at_most("lines of log", lines, 1_000)


@attack("in-call-flood")
def in_call_flood(case):
    """A caller sends thousands of requests a second inside its own call: re-INVITEs, UPDATE, INFO, OPTIONS. Calls
    from another trunk's source continue, and memory is bounded.
    """
    rate, seconds = case.size((5_000, 20), (3_000, 8))
    server = case.server()
    first, second = server.account.trunk(allowed=("127.0.0.66",)), server.account.trunk(allowed=("127.0.0.2",))
    with Phone(server, "127.0.0.66", first) as caller, Phone(server, "127.0.0.2", second) as phone:
        call = caller.place()
        phone.place_and_hang_up()
        beside(case, server, phone, InCall(server.sip, call, caller.media.getsockname(), rate), rate, seconds)
