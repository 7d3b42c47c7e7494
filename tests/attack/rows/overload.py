"""More load than the server can process."""

import statistics
import time

from .. import measure
from ..case import attack
from ..load import creates
from ..wellbeing import api

# Number of clients that saturates the writer on two cores.
CLIENTS = 600
# How often each load is run.
ROUNDS = 3


@attack("overload", short=False)
def overload(case):
    """Durable creates by 1, 2, 5 and 10 times the clients that saturate the server. The rate of successful ones
    stays near its peak, memory is bounded, and a second after the load every request is answered as before. The
    trunks that were created need memory too: as much as the server uses after a restart on the same database.
    """
    config = case.knows("[http]\nconnections_per_address = 8192\n")
    server = case.server(database=case.folder / "overload.db", config=config)
    server.control.send("PATCH", f"accounts/{server.account.id}", {"record_quota": 10_000_000})
    rates = {}
    with measure.Memory(server.pid) as memory:
        # In turn, and medians: a disk that is slow for a few seconds must not count against the server, nor for it.
        recovery = 0.0
        for times in ROUNDS * (1, 2, 5, 10):
            with creates(server, server.account, CLIENTS * times, 5) as load:
                rates.setdefault(times, []).append(load.finish().good)
            began = time.monotonic()
            while api(server, timeout=1.0) is None and time.monotonic() - began < 10:
                time.sleep(0.05)
            recovery = max(recovery, time.monotonic() - began)
        case.at_most("from the end of a load to an answer, slowest", recovery, 1.0, "s")
    medians = {times: statistics.median(of) for times, of in rates.items()}
    peak = max(medians.values())
    for times in (2, 5, 10):
        share = 100 * medians[times] / max(peak, 1)
        case.at_least(f"{times} times {CLIENTS} clients: successes, of the peak of {peak:,.0f} a second", share,
                      80.0, "%")
    server.kill()
    server = case.server(database=server.database, config=config)
    case.at_most("memory beyond what the created trunks need", memory.most - settled(server), 250.0, "MB")


def settled(server):
    """The least resident memory in ten seconds, in megabytes: what reading the database needed is given back."""
    least, end = measure.memory(server.pid), time.monotonic() + 10
    while time.monotonic() < end:
        api(server)
        time.sleep(0.1)
        least = min(least, measure.memory(server.pid))
    return least
