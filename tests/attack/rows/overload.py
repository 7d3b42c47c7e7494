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
# In megabytes. The documents that the clients create are on the disk.
MOST_GROWTH = 250.0


@attack("overload", short=False)
def overload(case):
    """Durable creates by 1, 2, 5 and 10 times the clients that saturate the server. The rate of successful ones
    stays near its peak, and a second after the load every request is answered as before. The memory of a server
    without an edge, which keeps every trunk in memory, is bounded: what grows is what the load itself needs.
    """
    server = world(case, "overload.db")
    rates = {}
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
    for times in (1, 2, 5, 10):
        share = 100 * medians[times] / max(peak, 1)
        case.at_least(f"{times} times {CLIENTS} clients: successes, of the peak of {peak:,.0f} a second", share,
                      80.0, "%")
    server.stop()
    server = world(case, "without-edge.db", sip="off")
    with measure.Memory(server.pid) as memory, creates(server, server.account, CLIENTS * 10, 60) as load:
        created = load.finish().good * 60
    case.at_least("ten times the clients for a minute, without an edge: trunks created", created, 10_000)
    case.at_most("memory grows by", memory.growth, MOST_GROWTH, "MB")


def world(case, database, **options):
    """A server that admits all of the clients, and as many records as they create."""
    config = case.knows("[http]\nconnections_per_address = 8192\n")
    server = case.server(database=case.folder / database, config=config, **options)
    server.control.send("PATCH", f"accounts/{server.account.id}", {"record_quota": 10_000_000})
    return server
