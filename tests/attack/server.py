"""The server as a process."""

import os
import signal
import subprocess
import time

from .api import Account, Control

KEY = "attacked-key"
# A deadline: a working server starts in milliseconds.
SECONDS_TO_START = 60
SECONDS_TO_STOP = 15


class DidNotStart(Exception):
    """The server ended, or printed nothing, instead of starting."""


class Server:
    """A running server. It is killed when the block ends, if it still runs."""

    def __init__(self, binary, folder, *arguments, database=None, config="", files=None, preload=None, key=KEY,
                 listen="127.0.0.1:0", sip="127.0.0.1:0"):
        number = len(list(folder.glob("server-*.log")))
        self.log = folder / f"server-{number}.log"
        self.database = database
        command = [str(binary), "--listen", listen, "--control-listen", "127.0.0.1:0", "--sip-listen", sip,
                   "--api-key", key]
        command += ["--database", str(database)] if database else ["--ephemeral"]
        if config:
            file = folder / f"server-{number}.toml"
            file.write_text(config)
            command += ["--config", str(file)]
        # Settings in the caller's environment must not affect the server.
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRUNK_SERVER_")}
        environment |= preload or {}
        if files:
            # The limit is set by a shell, because between fork and exec a program with threads may call
            # almost nothing.
            soft, hard = files
            command = ["sh", "-c", f'ulimit -S -n {soft}; ulimit -H -n {hard}; exec "$@"', "sh", *command]
        greeting = folder / f"server-{number}.out"
        with open(self.log, "wb") as log, open(greeting, "wb") as out:
            self.process = subprocess.Popen([*command, *arguments], env=environment, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=log)
        said = self._greeting(greeting)
        self.api = said["API"].removeprefix("http://").removeprefix("https://").removesuffix("/v3")
        self.control = Control(said["Control"])
        listens = [part.split(" ")[0] for part in said.get("SIP", "").split("), ") if "(" in part]
        self.sip = address(listens[0]) if listens else None
        self.sip_tls = address(listens[1]) if len(listens) > 1 else None
        self.account = Account(self, None, key)

    def _greeting(self, file):
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end:
            text = file.read_text()
            if "Try it" in text or "API key" in text:
                pairs = (line.strip().partition(":") for line in text.splitlines())
                return {label: rest.strip() for label, colon, rest in pairs if colon}
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        last = self.log.read_text().strip().splitlines()[-1:]
        raise DidNotStart(" ".join(last) or "it said nothing")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """Kills the server with SIGKILL: a crash, after which only the files remain."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks the server to stop. Returns the seconds that it took, or None if it had to be killed."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return time.monotonic() - started

    def log_lines(self):
        """Counts the lines of the log, without the two that every admitted call has: it was admitted, and has ended."""
        of_calls = (b" carrier_edge::attempt_log: admitted ", b" carrier_edge::attempt_log: ended ")
        with open(self.log, "rb") as log:
            return sum(1 for line in log if not any(text in line for text in of_calls))


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
