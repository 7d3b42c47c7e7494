"""The command line: sends the requests of each document, prints a line for each, and exits with 1 if one fails."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .examples import WITHOUT_EXAMPLE, WITHOUT_EXAMPLE_OF_VERSIONS, examples
from .server import Server

WORKSPACE = Path(__file__).resolve().parents[2]
# The last one is in hooks.py. That valid bodies are accepted is counted for each operation, because a body that its schema
# permits can break a rule that no schema states.
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
          "invalid_body_rejection")
# Written by hand from what others publish, and not made from this server's declarations.
PUBLISHED = sorted((WORKSPACE / "tests/contract/published").glob("*.json"))
# Streams do not end, a wait takes as long as its request says, and these lead outside of the machine: to a carrier's API, and to hosts of providers. The login is
# beside the base URL, which is one for all requests here; tests/it holds it to the document.
LEFT_OUT = {
    "control": ["/attempts/stream", "/calls/follow", "/events", "/journal/stream", "/journal/wait", "/providers/probe"],
    "voipbin": ["/providers/setup", "/auth/login"],
}
# The phase `coverage` sends every boundary of every schema, which takes most of the time.
FORMS = {
    "short": ("examples,fuzzing", 3),
    "normal": ("examples,coverage,fuzzing", 100),
    "long": ("examples,coverage,fuzzing", 1000),
}
# A deadline for a hung server: an answer takes milliseconds.
SECONDS_PER_ANSWER = 30


def main():
    options = arguments()
    documents = [path for path in sorted((WORKSPACE / "trunk-server/openapi").glob("*.json")) + PUBLISHED if options.only in name_of(path)]
    if not documents:
        sys.exit(f"no document's name holds {options.only!r}")
    passed = failed = cases = 0
    # Two at once, because most of the short form is the start of schemathesis, which uses one core.
    with tempfile.TemporaryDirectory(prefix="contract-") as folder, ThreadPoolExecutor(2) as beside:
        runs = beside.map(lambda one: run(one, Path(folder), options), documents)
        for document, (report, accepted) in zip(documents, runs):
            operations = report["operations"] or {"selected": 0, "tested": 0, "errored": 0}
            wrong = {name for failure in report["failures"] for name in failure["operations"]}
            never = never_accepted(document, accepted)
            for operation in never:
                print(f"{name_of(document)}: {operation} accepted no valid request", file=sys.stderr)
            wrong.update(never)
            # An operation that was selected and not tested shows nothing, so it counts as failed.
            bad = min(operations["selected"], len(wrong) + operations["selected"] - operations["tested"])
            if report["exit_code"] != 0 and bad == 0:
                bad = 1
            made = report["test_cases"]["generated"]
            passed, failed, cases = passed + operations["selected"] - bad, failed + bad, cases + made
            print(f"{name_of(document):<20} {operations['selected']:>4} operations, {bad} failed, {made:>6} requests, "
                  f"{accepted.total():>5} valid ones accepted by {len(accepted):>3} operations, {report['running_time']:.1f} s",
                  flush=True)
    print(f"operations: {passed} hold, {failed} failed; requests: {cases}")
    sys.exit(failed > 0)


def never_accepted(document, accepted):
    """The operations with POST that answered no valid request with 2xx, so that they could refuse everything."""
    excused = WITHOUT_EXAMPLE.get(name_of(document), WITHOUT_EXAMPLE_OF_VERSIONS)
    paths = json.loads(document.read_text())["paths"]
    create = [f"POST {path}" for path, operations in paths.items() if "post" in operations]
    return [operation for operation in create if operation not in excused and not accepted[operation]]


def name_of(document):
    return f"published {document.stem}" if document in PUBLISHED else document.stem


def run(document, folder, options):
    """Runs schemathesis against a server of its own, so that no document meets what another one left."""
    name = name_of(document)
    report, made, accepted = (folder / f"{name}.{what}" for what in ("json", "examples.json", "accepted"))
    accepted.touch()
    phases, most = FORMS[options.form]
    with Server(options.binary, folder, name) as server:
        made.write_text(json.dumps(examples(name, server)))
        command = [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", server.url(name)]
        for header in server.credentials(name):
            command += ["--header", header]
        for path in LEFT_OUT.get(name, []):
            command += ["--exclude-path", path]
        # The other documents declare no headers that an answer must have.
        checks = f"{CHECKS},response_headers_conformance" if document in PUBLISHED else CHECKS
        command += [
            "--checks", checks, "--phases", phases, "--mode", "all",
            "--max-examples", str(most), "--seed", str(options.seed), "--continue-on-failure",
            "--request-timeout", str(SECONDS_PER_ANSWER), "--suppress-health-check", "all", "--workers", "1",
            "--generation-database", "none", "--no-color", "--warnings", "off",
            "--report", "json", "--report-json-path", str(report),
        ]
        environment = {
            **os.environ, "SCHEMATHESIS_HOOKS": "contract.hooks", "PYTHONPATH": str(WORKSPACE / "tests"),
            "CONTRACT_DOCUMENT": name, "CONTRACT_EXAMPLES": str(made), "CONTRACT_ACCEPTED": str(accepted),
        }
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
        if ended.returncode != 0:
            print(ended.stdout, ended.stderr, file=sys.stderr)
        if not server.is_up():
            sys.exit(f"the server ended:\n{server.log.read_text()}")
    if not report.exists():
        sys.exit(f"schemathesis ended with {ended.returncode} without a report")
    return json.loads(report.read_text()), Counter(accepted.read_text().splitlines())


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/contract", description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", dest="form", action="store_const", const="short", default="normal")
    form.add_argument("--long", dest="form", action="store_const", const="long")
    parser.add_argument("--only", default="", metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
