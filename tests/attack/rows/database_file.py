"""The database's file, deleted, replaced, truncated, or opened twice."""

import contextlib
import os
import shutil
import time

from ..api import send
from ..case import attack
from ..server import DidNotStart

# In seconds: the maximum time until `readyz` and the log report it, and how often this attack asks.
DETECTION_SECONDS = 1.0
POLL_INTERVAL = 0.05


@attack("vanished-file")
def vanished_file(case):
    """The database's folder is deleted, or its file replaced by a copy, under the running server. `readyz` and the
    log report it within a second, without a write, and no write is acknowledged afterwards.
    """
    vanish(case, "folder deleted", shutil.rmtree)
    vanish(case, "file replaced", replace)


def replace(folder):
    file = folder / "trunks.db"
    copy = folder / "copy.db"
    copy.write_bytes(file.read_bytes())
    copy.rename(file)


def vanish(case, what, act):
    folder = case.folder / what.replace(" ", "-")
    folder.mkdir()
    server = case.server(database=folder / "trunks.db")
    created = server.account.create().status == 201
    lines = server.log_lines()
    began = time.monotonic()
    act(folder)
    while (ready := send(server.api, "GET", "/readyz").status) != 503 and time.monotonic() - began < 10:
        time.sleep(POLL_INTERVAL)
    detected = time.monotonic() - began if ready == 503 else None
    case.at_most(f"{what}: until `readyz` reports it", detected, DETECTION_SECONDS + POLL_INTERVAL, "s")
    answers = [server.account.create().status for _ in range(5)]
    case.at_most(f"{what}: writes acknowledged afterwards", answers.count(201), 0 if created else -1)
    ready = send(server.api, "GET", "/readyz").status
    case.at_most(f"{what}: `readyz` that says ok", int(ready == 200), 0)
    case.at_least(f"{what}: log lines about it", server.log_lines() - lines, 1)
    server.kill()


@attack("second-server")
def second_server(case):
    """Another server is started on the same database: after the lock file was deleted, and through a hard link to
    the file. It does not start, and no write that the first server acknowledged is lost.
    """
    folder = case.folder / "twice"
    folder.mkdir()
    database = folder / "trunks.db"
    server = case.server(database=database)

    def delete_locks():
        for lock in folder.glob("*.lock"):
            lock.unlink()
        return database

    def link():
        linked = case.folder / "linked.db"
        os.link(database, linked)
        return linked

    for what, prepare in (("as it is", lambda: database), ("lock file deleted", delete_locks), ("hard link", link)):
        started = 1
        try:
            case.server(database=prepare()).kill()
        except DidNotStart:
            started = 0
        case.at_most(f"{what}: second servers that start", started, 0)
    acknowledged = sum(server.account.create(f"kept {number}").status == 201 for number in range(20))
    server.kill()
    server = case.server(database=database)
    answer = server.account.send("GET", "voice_out_trunks?page[size]=1")
    kept = answer.json()["meta"]["total_records"] if answer.status == 200 else 0
    case.at_most("acknowledged by the first and lost", acknowledged - kept, 0 if acknowledged else -1)


@attack("cut-log")
def cut_log(case):
    """After `kill -9` the write-ahead log is truncated to half, or one bit of it is flipped; after an orderly stop
    the database is emptied. The next start reports missing commits, or fails; after `kill -9` alone it reports
    nothing.
    """
    damages = {"log cut in half": halve, "one bit of the log flipped": flip, "database emptied": empty,
               "nothing damaged": None}
    for what, damage in damages.items():
        folder = case.folder / what.replace(" ", "-")
        folder.mkdir()
        database = folder / "trunks.db"
        server = case.server(database=database)
        acknowledged = sum(server.account.create().status == 201 for _ in range(60))
        # An orderly stop leaves no write-ahead log, so emptying the file removes everything.
        server.stop() if damage is empty else server.kill()
        if damage:
            damage(database)
        silent = 0
        with contextlib.suppress(DidNotStart):
            server = case.server(database=database)
            time.sleep(0.2)
            log = server.log.read_text()
            silent = int("ERROR" not in log and "WARN" not in log)
            server.kill()
        what = f"{what}: starts that say nothing ({acknowledged} writes before)"
        case.at_most(what, silent, 0) if damage else case.at_least(what, silent, 1)


def log_of(database):
    return database.with_name(database.name + "-wal")


def halve(database):
    wal = log_of(database)
    os.truncate(wal, wal.stat().st_size // 2)


def flip(database):
    wal = log_of(database)
    with open(wal, "r+b") as file:
        file.seek(wal.stat().st_size // 3)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def empty(database):
    os.truncate(database, 0)


@attack("loose-mode")
def loose_mode(case):
    """The mode of a database that others can read is restricted at the start, or the log reports it."""
    database = case.folder / "loose.db"
    case.server(database=database).stop()
    database.chmod(0o644)
    server = case.server(database=database)
    server.account.create()
    named = "WARN" in server.log.read_text()
    loose = [file for file in case.folder.glob("loose.db*") if file.stat().st_mode & 0o077 and file.suffix != ".lock"]
    case.at_most("files that others may read, unsaid", 0 if named else len(loose), 0)
