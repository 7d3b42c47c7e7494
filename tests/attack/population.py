"""Accounts with many trunks, created over the API with wrk, as a tenant would create them."""

import time

from .load import creates


def records(account):
    """Returns the number of trunks of an account."""
    answer = account.send("GET", "voice_out_trunks?page[size]=1", timeout=30)
    return answer.json()["meta"]["total_records"] if answer.status == 200 else 0


def populate(server, account, count, longest=240):
    """Creates trunks in an account until it has at least this many."""
    end = time.monotonic() + longest
    seconds = 1
    while (made := records(account)) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"an account has only {made:,} of {count:,} trunks")
        began = time.monotonic()
        with creates(server, account, 32, seconds) as load:
            load.finish()
        pace = (records(account) - made) / (time.monotonic() - began)
        if pace <= 0:
            raise RuntimeError(f"an account gets no more than {made:,} trunks")
        seconds = max(1, min(30, int((count - made) / pace) - 1))


def unlimited(server, account, count):
    """Sets an account's quota of records of a type, if the build has quotas."""
    server.control.send("PATCH", f"accounts/{account.id}", {"record_quota": count})
