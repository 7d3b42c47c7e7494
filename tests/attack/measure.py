"""Measurements of a process from outside, and of the response times of other clients during an attack."""

import os
import statistics
import threading
import time
from pathlib import Path

MEGABYTE = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Resident memory in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    """Processor time in seconds that the process has used since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_share(pid, seconds):
    """Percentage of one core that the process uses during this time."""
    used, started = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - used) / (time.monotonic() - started)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def percentile(values, share):
    """The percentile of the values; None is greater than every other value."""
    ordered = sorted(values, key=lambda value: float("inf") if value is None else value)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def median(values):
    return percentile(values, 0.5)


class Watch(threading.Thread):
    """Runs in a thread until the block ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self._end = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


class Memory(Watch):
    """Watches the resident memory of a process; `most` is the highest value seen, in megabytes."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.first = self.most = memory(pid)

    def run(self):
        while not self._end.wait(0.1):
            try:
                self.most = max(self.most, memory(self.pid))
            except (OSError, ValueError):
                return

    @property
    def growth(self):
        return max(0.0, self.most - self.first)


class Pulse(Watch):
    """Repeats an action during an attack, and keeps the seconds that each run took; None for a failure."""

    def __init__(self, act, pause=0.05):
        super().__init__()
        self.act = act
        self.pause = pause
        self.seconds = []

    def run(self):
        while not self._end.is_set():
            self.seconds.append(self.act())
            self._end.wait(self.pause)

    @property
    def failed(self):
        return sum(second is None for second in self.seconds)

    @property
    def median(self):
        return median(self.seconds)

    def percentile(self, share):
        return percentile(self.seconds, share)

    @property
    def slowest(self):
        return percentile(self.seconds, 1.0)


def seconds_of(answer, status=200):
    """Seconds that an answer took; None if it has another status."""
    return answer.seconds if answer.status == status else None


def mean(values):
    return statistics.fmean(values) if values else 0.0
