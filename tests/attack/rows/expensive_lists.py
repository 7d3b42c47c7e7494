"""One tenant's reads against the service of all others."""

import contextlib
import time

from .. import measure
from ..api import Account, send
from ..case import attack
from ..load import Wrk
from ..phone import Phone
from ..population import populate, records, unlimited

WORST = "/v3/voice_out_trunks?sort=threshold_reached,-name&page[size]=1000&page[number]={}&include=dids"


TENANTS = ("first", "second", "third", "fourth")


def world(case):
    """A server with four tenants with very many trunks. Created once, because it takes minutes."""
    database = case.shared / "tenants.db"
    if not database.exists():
        server = case.server(database=database)
        for name in TENANTS:
            tenant = server.control.account(server, name=name, api_key=name)
            count = case.size(300_000, 3_000 if name == TENANTS[0] else 1_000)
            unlimited(server, tenant, 2 * count)
            populate(server, tenant, count)
        server.stop()
    server = case.server(database=database)
    return server, [Account(server, None, name) for name in TENANTS]


@attack("expensive-lists")
def expensive_lists(case):
    """Four tenants repeatedly request their most expensive list: the last page of a thousand, sorted in both
    directions, with its includes. Meanwhile another tenant reads one trunk, and calls arrive.
    """
    server, tenants = world(case)
    trunk = server.account.trunk(rtp_timeout=600)
    seconds = case.size(10, 4)
    with contextlib.ExitStack() as ends:
        loads = []
        for tenant in tenants:
            deepest = max(1, records(tenant) // 1000 - 1)
            url = f"http://{server.api}{WORST.format(deepest)}"
            loads.append(ends.enter_context(Wrk(url, tenant.headers, 8, seconds + 2)))
        time.sleep(1)

        def read():
            path = f"/v3/voice_out_trunks/{trunk.id}"
            return measure.seconds_of(send(server.api, "GET", path, None, server.account.headers))

        phone = ends.enter_context(Phone(server, "127.0.0.2", trunk))
        with measure.Pulse(read, 0.01) as reads:
            calls = phone.place_many(8, seconds=seconds)
            phone.run(lambda: False, seconds - 1)
        seconds_of_calls = [call.seconds if call.code == 200 else None for call in calls]
        lists = [load.finish() for load in loads]
    case.at_least("lists that were answered, each tenant's the fewest",
                  min(load.good * (seconds + 2) for load in lists), 1)
    case.at_most("another tenant's read, median", reads.median, case.size(0.05, 0.5), "s")
    case.at_most("another tenant's read, 99th percentile", reads.percentile(0.99), case.size(0.1, 2.0), "s")
    case.at_most("slowest of eight calls beside it", measure.percentile(seconds_of_calls, 1.0), case.size(1.0, 3.0), "s")


@attack("deep-page", short=False)
def deep_page(case):
    """The last page of a list of 300,000 costs about as much as its first page, and both are cheap."""
    server, [first, *_] = world(case)
    last = records(first) // 1000
    sorts = {"as created": "", "by name": "sort=name&", "sorted both ways": "sort=threshold_reached,-name&"}
    for name, sort in sorts.items():
        def seconds(page, sort=sort):
            path = f"/v3/voice_out_trunks?{sort}page[size]=1000&page[number]={page}"
            taken = [send(server.api, "GET", path, None, first.headers, timeout=20) for _ in range(7)]
            return measure.median([measure.seconds_of(answer) for answer in taken])

        shallow, deep = seconds(1), seconds(last)
        ratio = deep / shallow if shallow and deep else None
        case.at_most(f"{name}: page {last:,} of 1,000 trunks, times what page 1 takes", ratio, 3.0)
        case.at_most(f"{name}: page {last:,}, median", deep, 0.5, "s")


@attack("quota")
def quota(case):
    """A tenant creates records without end: its quota stops it, and does not stop another tenant."""
    most = 50
    server = case.server()
    tenant, other = (server.control.account(server, name=name) for name in ("greedy", "other"))
    unlimited(server, tenant, most)
    answers = [tenant.create() for _ in range(most + 20)]
    refused = [answer for answer in answers if answer.status != 201]
    case.at_most("records of a tenant whose quota is 50", records(tenant), most)
    case.at_least("refusals with an error object", sum(b'"errors"' in answer.body for answer in refused), 20)
    case.at_least("records that another tenant can still create",
                  sum(other.create().status == 201 for _ in range(5)), 5)
