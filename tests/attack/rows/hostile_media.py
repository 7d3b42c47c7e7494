"""Calls with floods of media."""

import time

from .. import measure, rtp
from ..case import attack
from ..flood import Media
from ..phone import Phone
from ..wellbeing import api


@attack("hostile-media")
def hostile_media(case):
    """Many calls are active, and their media ports receive far more than a codec sends: packets of the caller and
    of strangers, too large ones, and data that is not RTP. API and call set-up still answer, and echoes of a call
    are limited to what its codec can need.
    """
    calls, rate, seconds = case.size((1000, 40_000, 10), (50, 8_000, 4))
    server = case.server()
    trunk, other = server.account.trunk(rtp_timeout=600), server.account.trunk(allowed=("127.0.0.3",))
    with Phone(server, "127.0.0.2", trunk) as phone, Phone(server, "127.0.0.3", other) as stranger:
        placed = [call for call in phone.place_many(calls) if call.media]
        case.at_least("calls that are up", len(placed), 0.99 * calls)
        with Media([call.media for call in placed], "127.0.0.2", rate) as flood:
            with measure.Pulse(lambda: api(server)) as reads, measure.Pulse(stranger.place_and_hang_up, 0.2) as set_up:
                began = measure.cpu_seconds(server.pid)
                time.sleep(seconds)
                used = (measure.cpu_seconds(server.pid) - began) / seconds
            sent = flood.sent()
        case.at_least("packets a second of the flood", sent / seconds, rate / 4)
        case.at_most("API read beside it, median", reads.median, case.size(0.25, 1.0), "s")
        case.at_most("call set-up beside it, median", set_up.median, case.size(0.5, 2.0), "s")
        case.at_most("call set-ups that failed", set_up.failed, 0)
        case.at_most("share of a core that the server takes", 100 * used, 150.0, "%")
    one(case, server, trunk)


def one(case, server, trunk):
    """Floods a single call, and measures the rate of its echo."""
    seconds, rate = 4.0, 2_000
    with Phone(server, "127.0.0.2", trunk) as phone:
        call = phone.place()
        started, sent = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            if sent < rate * passed:
                phone.media.sendto(rtp.packet(sent), call.media)
                sent += 1
            else:
                time.sleep(0.001)
        time.sleep(0.2)
        echoed, _ = rtp.drain(phone.media)
        case.at_most(f"echoed packets a second of a call that gets {rate:,}", echoed / seconds, 300.0)
