"""The fixture for pytest that docs/recipes/tests.md prints, used as its reader would use it."""

import os
import subprocess
import sys

from trunk_server import WORKSPACE, binary

TEST = '''
import json
import os
import urllib.request


def numbers(didww):
    request = urllib.request.Request(os.environ["DIDWW_API_BASE"] + "/dids", headers={"Api-Key": os.environ["DIDWW_API_KEY"]})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [did["attributes"]["number"] for did in json.load(answer)["data"]]


def test_the_server_has_numbers(didww):
    assert "12025550143" in numbers(didww)


def test_the_control_api_is_there(didww):
    with urllib.request.urlopen(didww["control"] + "/nodes", timeout=30) as answer:
        assert answer.status == 200
'''


def test_the_fixture_of_the_recipe_starts_a_server_and_stops_it(tmp_path):
    page = (WORKSPACE / "docs/recipes/tests.md").read_text()
    _, rest = page.split("```python\n", 1)
    fixture, _ = rest.split("```\n", 1)
    (tmp_path / "conftest.py").write_text(fixture)
    (tmp_path / "test_numbers.py").write_text(TEST)
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("TRUNK_SERVER_", "PYTEST_"))}
    environment["PATH"] = f"{binary().parent}{os.pathsep}{environment['PATH']}"
    environment["NO_PROXY"] = environment["no_proxy"] = "127.0.0.1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "2 passed" in ran.stdout, ran.stdout + ran.stderr
