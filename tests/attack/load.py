"""Load from `wrk`, for attacks that need a faster client than Python."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The script of the benchmark.
CREATE = Path(__file__).parents[2] / "benches/src/measure/create.lua"
# Counts the verdicts on credentials.
UNAUTHORIZED = Path(__file__).parent / "unauthorized.lua"


@dataclass(frozen=True)
class Load:
    """The figures of a run of wrk: requests a second, and how many were refused with a status above 399 or failed."""

    a_second: float
    refused: float
    failed: int
    # Answers with status 401, a second; counted by the script `UNAUTHORIZED` alone.
    unauthorized: float = 0.0

    @property
    def good(self):
        """Successful requests a second."""
        return self.a_second - self.refused


class Wrk:
    """A running wrk. `finish` returns its figures; the process ends with the block."""

    def __init__(self, url, headers, connections, seconds, script=None, threads=1, timeout=10):
        command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{timeout}s"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        if script:
            command += ["-s", str(script)]
        self.seconds = seconds
        self._process = subprocess.Popen([*command, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def finish(self):
        text, _ = self._process.communicate(timeout=self.seconds + 60)
        lasted = re.search(r"(\d+) requests in ([\d.]+)(m?s|m)", text)
        if not lasted:
            raise RuntimeError(f"wrk said: {text.strip()[-200:]}")
        seconds = float(lasted.group(2)) * {"s": 1, "ms": 0.001, "m": 60}[lasted.group(3)]
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        failed = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        unauthorized = re.search(r"Unauthorized: (\d+)", text)
        return Load(int(lasted.group(1)) / seconds, int(refused.group(1)) / seconds if refused else 0.0,
                    sum(map(int, failed.groups())) if failed else 0,
                    int(unauthorized.group(1)) / seconds if unauthorized else 0.0)


def creates(server, account, connections, seconds):
    """Creates trunks durably, over this number of connections."""
    return Wrk(f"http://{server.api}/v3/voice_out_trunks", account.headers, connections, seconds, CREATE, threads=2)
