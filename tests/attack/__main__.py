"""The command line: runs attacks, prints a line for each figure, and exits with 1 if a figure misses its threshold."""

import argparse
import concurrent.futures
import resource
import sys
import tempfile
import time
from pathlib import Path

from .case import Case, attacks
from .report import write

WORKSPACE = Path(__file__).resolve().parents[2]


def main():
    options = arguments()
    # Some attacks open thousands of connections and need as many file descriptors.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    chosen = attacks(options.only, options.short)
    if not chosen:
        sys.exit(f"no attack's name holds {options.only!r}")
    figures, started = [], time.monotonic()

    def report(figure):
        figures.append(figure)
        verdict = "ok" if figure.holds else "FAILED"
        print(f"{figure.attack:<18} {figure.what:<76} {figure.seen:>11} {figure.threshold:>11}  {verdict}", flush=True)

    def run(attack):
        began = time.monotonic()
        with Case(attack, options.binary, options.short, report, shared) as case:
            attack(case)
        if options.times:
            print(f"{attack.name:<18} took {time.monotonic() - began:.1f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="attack-") as folder, concurrent.futures.ThreadPoolExecutor(8) as beside:
        shared = Path(folder)
        waiting = [beside.submit(run, attack) for attack in chosen if attack.waits]
        for attack in chosen:
            if not attack.waits:
                run(attack)
        for each in waiting:
            each.result()
    failed = [figure for figure in figures if not figure.holds]
    if options.report:
        write(options.report, figures, options.short)
    print(f"attacks: {len(chosen)}, figures: {len(figures) - len(failed)} hold, {len(failed)} failed, "
          f"{time.monotonic() - started:.0f} s")
    sys.exit(1 if failed else 0)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--binary", type=Path, default=WORKSPACE / "target/release/trunk-server",
                        help="attack this build instead of the release build")
    parser.add_argument("--short", action="store_true", help="the form that is part of scripts/test")
    parser.add_argument("--only", default="", metavar="NAME", help="only attacks whose name holds this")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures into this page")
    parser.add_argument("--times", action="store_true", help="say how long each attack took")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    if not options.binary.is_file():
        parser.error(f"{options.binary} is missing: build it, or name another one with --binary")
    return options


if __name__ == "__main__":
    main()
