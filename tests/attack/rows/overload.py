"""More load than the server can process."""

import time

from .. import measure
from ..case import attack
from ..load import creates
from ..wellbeing import api

# Number of clients that saturates the writer on two cores.
CLIENTS = 600


@attack("overload", short=False)
def overload(case):
    """Durable creates by 1, 2, 5 and 10 times the clients that saturate the server. The rate of successful ones
    stays near its peak, memory is bounded, and a second after the load every request is answered as before.
    """
    config = case.knows("[http]\nconnections_per_address = 8192\n")
    server = case.server(database=case.folder / "overload.db", config=config)
    server.control.send("PATCH", f"accounts/{server.account.id}", {"record_quota": 10_000_000})
    rates = {}
    with measure.Memory(server.pid) as memory:
        # The peak is measured first and last, so that other load on the machine does not count against the
        # server.
        for times in (1, 2, 5, 10, 1):
            with creates(server, server.account, CLIENTS * times, 8) as load:
                rates.setdefault(times, []).append(load.finish().good)
            began = time.monotonic()
            while api(server, timeout=1.0) is None and time.monotonic() - began < 10:
                time.sleep(0.05)
            if times == 10:
                case.at_most("from the end of the load to an answer", time.monotonic() - began, 1.0, "s")
    peak = max(rate for times in (1, 2, 5) for rate in rates[times])
    for times in (2, 5, 10):
        share = 100 * rates[times][0] / max(peak, 1)
        case.at_least(f"{times} times {CLIENTS} clients: successes, of the peak of {peak:,.0f} a second", share,
                      80.0, "%")
    case.at_most("memory grows by", memory.growth, 500.0, "MB")
