"""A disk without space, while chargeable calls arrive."""

import contextlib
import os
import resource
import subprocess
import time

from ..api import expect
from ..case import attack
from ..phone import Phone
from .money import SIXTY_A_CALL, rated

PRICE = 60.0


@attack("full-disk")
def full_disk(case):
    """The disk is full, then has space again, then the server is killed. Once a write has failed, no call of a trunk
    with a threshold is admitted, and calls of other trunks continue for a while. Every admitted call of the former is
    charged, and none exceeds the threshold.
    """
    disk = case.keep(small_disk(case.folder / "disk"))
    database, config = disk.folder / "trunks.db", rated(case, SIXTY_A_CALL)
    server = case.server(config=config, database=database)
    trunk = server.account.trunk(threshold_amount="100.0")
    free = without_threshold(server)
    disk.fill(server)
    with Phone(server, "127.0.0.2", trunk) as phone, Phone(server, "127.0.0.3", free) as other:
        # The server detects the full disk at the first failed write.
        case.at_least("writes refused while the disk is full", int(server.account.create().status == 503), 1)
        while_full = sum(place(phone) for _ in range(8))
        case.at_most("calls of a trunk with a threshold admitted while the disk is full", while_full, 0)
        case.at_most("first call of a trunk without a threshold", other.place_and_hang_up(), 2.0, "s")
        disk.room(server)
        end = time.monotonic() + 10
        while server.account.create().status != 201 and time.monotonic() < end:
            time.sleep(0.2)
        afterwards = sum(place(phone) for _ in range(4))
        case.at_least("calls of that trunk admitted with space again", afterwards, 1)
        time.sleep(1.0)
    server.kill()
    server = case.server(config=config, database=database)
    trunk = type(trunk)(server.account, trunk.id, trunk.username, trunk.password)
    admitted = while_full + afterwards
    case.at_most("calls admitted in all, of a threshold of 100 and 60 a call", admitted, 2)
    case.at_most("admitted and not charged after `kill -9`", admitted * PRICE - trunk.spent(), 0.0, "USD")
    case.at_most("charged and not admitted", trunk.spent() - admitted * PRICE, 0.0, "USD")


@attack("file-size-limit")
def file_size_limit(case):
    """The kernel refuses to let files grow, and sends SIGXFSZ, which ends a program that does not handle it. The
    server refuses writes and continues to run.
    """
    folder = case.folder / "data"
    folder.mkdir()
    server = case.server(database=folder / "trunks.db")
    limit = FileSize(folder)
    limit.fill(server)
    refused = [server.account.create().status for _ in range(10)]
    limit.room(server)
    case.at_least("of 10 writes refused with 503", refused.count(503), 9)
    end = time.monotonic() + 10
    while (status := server.account.create().status) != 201 and time.monotonic() < end:
        time.sleep(0.1)
    case.at_least("writes that succeed with room again", int(status == 201), 1)
    case.at_most("processes that ended", int(server.process.poll() is not None), 0)


def place(phone):
    """Places a call and ends it. Returns whether it was admitted."""
    call = phone.place()
    if call.code == 200:
        phone.hang_up(call)
    return call.code == 200


def without_threshold(server):
    """Creates a trunk without a threshold, which only versions before 2026-04-16 allow."""
    made = server.account.trunk(allowed=("127.0.0.3",))
    body = {"data": {"type": "voice_out_trunks", "id": made.id, "attributes": {"threshold_amount": None}}}
    expect(server.account.send("PATCH", f"voice_out_trunks/{made.id}", body, version="2022-05-10"), "no threshold")
    return made


class Tmpfs:
    """A separate, small file system; only root can mount one."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, server):
        with open(self.folder / "filling", "wb", buffering=0) as file, contextlib.suppress(OSError):
            for _ in range(1 << 16):
                file.write(bytes(1 << 16))

    def room(self, server):
        (self.folder / "filling").unlink()


class FileSize:
    """A folder whose files cannot grow, without root: the kernel's limit on the size of a file."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, server):
        # Commits are appended to the log: where it cannot grow, not even a small one fits.
        logs = list(self.folder.glob("*-wal")) or list(self.folder.iterdir())
        self._set(server, max(file.stat().st_size for file in logs))

    def room(self, server):
        self._set(server, resource.RLIM_INFINITY)

    @staticmethod
    def _set(server, size):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextlib.contextmanager
def small_disk(folder):
    """A folder for a database whose space can be used up."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "attack", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield FileSize(folder)
        return
    try:
        yield Tmpfs(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
