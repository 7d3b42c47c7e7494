"""Accounts with many trunks, made over the API by wrk as a tenant would make them."""

import time

from .load import creates


def records(account):
    """How many trunks an account has."""
    answer = account.send("GET", "voice_out_trunks?page[size]=1", patience=30)
    return answer.json()["meta"]["total_records"] if answer.status == 200 else 0


def populate(server, account, count, longest=240):
    """Lets an account create trunks until it has so many, or a little more."""
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
    """Lets an account have so many records of a type, where there is a quota."""
    server.control.send("PATCH", f"accounts/{account.id}", {"record_quota": count})
