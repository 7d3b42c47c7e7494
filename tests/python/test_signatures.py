"""The SDK's validator with the signatures that this project's own code is tested with (fixtures/callbacks)."""

import json
from pathlib import Path

import pytest
from didww.callback.request_validator import RequestValidator

CASES = json.loads((Path(__file__).parents[2] / "fixtures" / "callbacks" / "signatures.json").read_text())
MAPS = [case for case in CASES if "parameters" in case]
SINGLE_EVENTS = [case for case in CASES if len(case.get("events", [])) == 1]


def test_there_are_cases_of_both_forms():
    assert len(MAPS) >= 20 and len(SINGLE_EVENTS) >= 2


@pytest.mark.parametrize("case", MAPS, ids=lambda case: case["url"])
def test_the_validator_and_the_fixture_agree(case):
    validator = RequestValidator(case["key"])
    assert validator.validate(case["url"], case["parameters"], case["signature"]) is case["valid"]


# The validator accepts one map of texts. A list with one event is signed like that event, so the validator
# covers this part of the list form that trunks use.
@pytest.mark.parametrize("case", SINGLE_EVENTS, ids=lambda case: case["url"])
def test_a_list_of_one_event_is_signed_as_the_event(case):
    [event] = case["events"]
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in event.items()}
    assert RequestValidator(case["key"]).validate(case["url"], texts, case["signature"]) is True


@pytest.mark.parametrize("changed", ["key", "url", "parameters"])
def test_a_signature_holds_for_nothing_else(changed):
    case = {**MAPS[0]}
    case[changed] = {**case["parameters"], "status": "x"} if changed == "parameters" else case[changed] + "x"
    assert RequestValidator(case["key"]).validate(case["url"], case["parameters"], case["signature"]) is False
