"""Calls that would exceed a threshold, or cost nothing at all."""

import math
import time

from ..case import attack
from ..phone import Phone

# Rates: one US dollar a second, and sixty US dollars a call.
BY_THE_SECOND = """
[sip]
{step}
[[sip.rates]]
prefix = "999"
per_minute = "60"
"""
SIXTY_A_CALL = BY_THE_SECOND.replace('"60"', '"60"\ninitial_interval = 60\nnext_interval = 60')
STEP = "cost_step_seconds = 1"


def rated(case, rates):
    """A configuration with these rates, and with a step of one second if the build has steps."""
    return case.knows(rates.format(step=STEP)) or rates.format(step="")


@attack("threshold-running")
def threshold_running(case):
    """200 INVITEs at once on a trunk with a threshold of 5 US dollars, at a dollar a second. The cost of active
    calls counts: the total stays within the threshold and one step of the admitted calls, and the threshold ends
    them.
    """
    threshold = 5.0
    server = case.server(config=rated(case, BY_THE_SECOND), database=case.folder / "running.db")
    trunk = server.account.trunk(threshold_amount=str(threshold))
    with Phone(server, "127.0.0.2", trunk) as phone:
        calls = [phone.call() for _ in range(200)]
        phone.run(lambda: all(call.code is not None for call in calls), 10)
        admitted = [call for call in calls if call.code == 200]
        phone.run(lambda: False, 6.0)
        case.at_most("calls that are up six seconds later", sum(call.up for call in admitted), 0)
        for call in admitted:
            if call.up:
                phone.hang_up(call)
        time.sleep(0.5)
    # Each call may cost a step of one second and the second that has begun.
    case.at_most("charged in all, of a threshold of 5", trunk.spent(), threshold + 2 * len(admitted), "USD")
    case.at_least("calls that were admitted", len(admitted), 1)


@attack("killed-call")
def killed_call(case):
    """`kill -9` with active calls, and with calls whose BYE was just answered: after the restart each has one record
    and is charged for its seconds, and not for more.
    """
    database, config = case.folder / "killed.db", rated(case, BY_THE_SECOND)
    server = case.server(config=config, database=database)
    trunk = server.account.trunk(threshold_amount="1000.0")
    with Phone(server, "127.0.0.2", trunk) as phone:
        calls = phone.place_many(5)
        phone.run(lambda: False, 3.0)
        up = sum(call.up for call in calls)
        over = phone.place_many(50)
        for call in over:
            call.ask("BYE")
        phone.run(lambda: all(call.ended for call in over), 5)
        over_at = time.monotonic()
        server.kill()
        killed_at = time.monotonic()
        # An upper bound: from the INVITE to the end that the caller saw, and the second that has begun.
        ended = [(call, over_at if call.ended else killed_at) for call in [*calls, *over] if call.code == 200]
        dearest = sum(math.floor(end - call.started) + 1 for call, end in ended)
        over = sum(call.ended for call in over)
    server = case.server(config=config, database=database)
    trunk = type(trunk)(server.account, trunk.id, trunk.username, trunk.password)
    case.at_least("calls that were up", up, 5)
    case.at_least("charged after the restart", trunk.spent(), up + over, "USD")
    # The cost of calls that an earlier server left counts at once, and is written soon after.
    end, records = time.monotonic() + 5, 0
    while records < up + over and time.monotonic() < end:
        records = len(server.control.get("calls?limit=100")["calls"])
    case.at_least("records after the restart", records, up + over)
    case.at_most("charged with the records, of a dollar for each second that a call began",
                 100 * trunk.spent() / max(dearest, 1), 100.0, "%")
    case.at_most("records of calls that were not answered", records - len(ended), 0)


@attack("never-acked", waits=True)
def never_acked(case):
    """INVITEs with the forged source of an `ip_only` trunk, whose answers are never acknowledged: they cost
    nothing, and the trunk is not blocked.
    """
    server = case.server(config=rated(case, SIXTY_A_CALL))
    trunk = server.account.trunk_by_address(["127.0.0.2"], threshold_amount="100.0")
    with Phone(server, "127.0.0.2", trunk, acknowledges=False) as forger:
        for _ in range(3):
            forger.call()
        # An answer is retransmitted for 64 * T1 before it counts as unacknowledged.
        forger.run(lambda: False, 35.0)
    case.at_most("charged for three unacknowledged calls", trunk.spent(), 0.0, "USD")
    case.at_most("trunks that they blocked", int(trunk.status() != "active"), 0)
