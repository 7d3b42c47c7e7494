"""A clock that jumps."""

import time

from .. import measure
from ..case import attack
from ..wellbeing import slowest_answer


@attack("clock-back")
def clock_back(case):
    """The clock steps back by an hour. An account with a rate limit is served as before, and so are all others."""
    server = case.server()
    limited = server.control.account(server, name="limited", rate_limit=5)
    server.control.post("clock/freeze", at="2026-06-01T12:00:00.000Z")
    before = [limited.send("GET", "voice_out_trunks").status for _ in range(8)]
    server.control.post("clock/freeze", at="2026-06-01T11:00:00.000Z")
    # The step is detected at the latest by the next request, which may still exceed the limit.
    limited.send("GET", "voice_out_trunks")
    server.control.post("clock/advance", seconds=5)
    # More than a second passes on either clock that the limit may use.
    time.sleep(1.5)
    after = limited.send("GET", "voice_out_trunks").status
    case.at_least("requests refused by the limit before", before.count(429), 1)
    case.at_most("requests refused five seconds after the step", int(after != 200), 0)


@attack("clock-frozen")
def clock_frozen(case):
    """The control API freezes the clock at the first or last instant. The request is refused, or API, control API
    and calls still answer.
    """
    for at in ("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "0000-01-01T00:00:00.000Z"):
        server = case.server()
        trunk = server.account.trunk()
        answer = server.control.send("POST", "clock/freeze", {"at": at}, timeout=2)
        time.sleep(0.3)
        # A refusal is fine; no answer means that the server hangs.
        well = slowest_answer(server, trunk) if answer.status else None
        case.at_most(f"frozen at {at[:10]} ({answer.status}): slowest of API, control and a new call", well, 1.0, "s")
        share = measure.cpu_share(server.pid, 0.5)
        case.at_most(f"frozen at {at[:10]}: share of a core", share, 50.0, "%")
        server.kill()
