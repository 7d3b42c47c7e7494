"""Attacks, and the figures that they report."""

import contextlib
import importlib
import pkgutil
import subprocess
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .server import Server


@dataclass(frozen=True)
class Figure:
    """One measured value and its threshold. The value is None if there was no answer to measure."""

    attack: str
    what: str
    value: float | None
    unit: str
    bound: float
    at_least: bool = False

    @property
    def holds(self):
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def seen(self):
        return "no answer" if self.value is None else quantity(self.value, self.unit)

    @property
    def threshold(self):
        return f"{'≥' if self.at_least else '≤'} {quantity(self.bound, self.unit)}"


def quantity(value, unit):
    """`12,345`, `0.25 s`: four digits are enough to see which side of a threshold a figure is on."""
    digits = 0 if value == int(value) or abs(value) >= 100 else 3 if abs(value) < 10 else 1
    return f"{value:,.{digits}f} {unit}".rstrip()


@dataclass(frozen=True)
class Attack:
    """A named function that attacks its own servers and reports figures to its case."""

    name: str
    about: str
    run: Callable
    short: bool
    waits: bool

    def __call__(self, case):
        self.run(case)


ATTACKS: list[Attack] = []


def attack(name, short=True, waits=False):
    """Registers a function as an attack. The report describes the attack with the first paragraph of its docstring.

    `short` is False for an attack that shows nothing in a small form; it is not part of the short form. `waits` is
    True for an attack that mostly waits, for a SIP timer for instance: it runs concurrently with the others.
    """

    def register(function):
        about = " ".join(function.__doc__.strip().split("\n\n")[0].split())
        ATTACKS.append(Attack(name, about, function, short, waits))
        return function

    return register


def attacks(only, short):
    """Returns the attacks of a form whose name contains `only`, in the order of their files and lines."""
    from . import rows

    for module in sorted(pkgutil.iter_modules(rows.__path__), key=lambda module: module.name):
        importlib.import_module(f"{rows.__name__}.{module.name}")
    return [attack for attack in ATTACKS if only in attack.name and (attack.short or not short)]


class Case:
    """One run of one attack: it starts servers, which end with it, and records figures."""

    def __init__(self, attack, binary, short, report, shared):
        self.attack = attack
        # Folder for data that takes too long to create for each attack.
        self.shared = shared
        self.binary = binary
        self.short = short
        self._report = report
        self._ends = contextlib.ExitStack()
        self.folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="attack-")))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and isinstance(error, Exception):
            where = traceback.extract_tb(trace)[-1]
            file = f"{Path(where.filename).name}:{where.lineno}"
            self.at_most(f"did not run to its end ({type(error).__name__}: {error}, {file})", 1, 0, "fault")
        self._ends.close()
        return isinstance(error, Exception)

    def size(self, whole, short):
        """Returns the size for the full or for the short form."""
        return short if self.short else whole

    def server(self, *arguments, **options):
        """Starts a server for this attack alone."""
        return self._ends.enter_context(Server(self.binary, self.folder, *arguments, **options))

    def keep(self, manager):
        """Enters a context that ends with the attack."""
        return self._ends.enter_context(manager)

    def knows(self, config):
        """Returns the configuration if this build supports it, else an empty text, so that older builds can run
        too.
        """
        file = self.folder / "asked.toml"
        file.write_text(config)
        asked = subprocess.run([self.binary, "--print-config", "--config", file], capture_output=True, timeout=30)
        return config if asked.returncode == 0 else ""

    def at_most(self, what, value, bound, unit=""):
        self._report(Figure(self.attack.name, what, value, unit, bound))

    def at_least(self, what, value, bound, unit=""):
        self._report(Figure(self.attack.name, what, value, unit, bound, at_least=True))
