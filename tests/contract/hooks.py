"""What schemathesis does beyond its own options: leaves out requests that no API receives, adds the examples, notes what is
accepted, and checks that invalid bodies are refused, except for those that tolerances.py states."""

import json
import os
from pathlib import Path
from urllib.parse import urlencode

import schemathesis
from schemathesis.core.jsonschema import make_validator
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection

from .tolerances import is_tolerated

# The server answers a head of more than 16 KiB with 431 before it knows the API; tests/it sends such heads.
MOST_BYTES_OF_QUERY = 8000
DOCUMENT = os.environ["CONTRACT_DOCUMENT"]
EXAMPLES = json.loads(Path(os.environ["CONTRACT_EXAMPLES"]).read_text())
ACCEPTED = Path(os.environ["CONTRACT_ACCEPTED"])


@schemathesis.hook
def filter_query(context, query):
    return query is None or len(urlencode(query, doseq=True)) <= MOST_BYTES_OF_QUERY


@schemathesis.hook
def before_add_examples(context, examples):
    if context.operation.label not in EXAMPLES:
        return
    path, body = EXAMPLES[context.operation.label]
    of_body = {}
    if body is not None:
        of_body = {"body": body, "media_type": next(iter(context.operation.body)).media_type}
    examples.append(context.operation.Case(path_parameters=path, **of_body))


@schemathesis.hook
def after_call(context, case, response):
    is_valid = case.meta is None or case.meta.generation.mode.is_positive
    if is_valid and 200 <= response.status_code < 300:
        with ACCEPTED.open("a") as file:
            file.write(f"{case.operation.label}\n")


@schemathesis.check
def invalid_body_rejection(ctx, response, case):
    """An invalid body is refused. Parameters are left out: what the server reads them as is in docs/differences.md."""
    if case.meta is None or not case.meta.is_negative_at(ParameterLocation.BODY) or response.status_code >= 400:
        return None
    declared = case.operation.get_body_for_media_type(case.media_type)
    # Bytes that are no JSON have no reading.
    if declared is not None and isinstance(case.body, (dict, list, str, int, float, type(None))):
        validator = make_validator(declared.optimized_schema, case.operation.schema.adapter.jsonschema_validator_cls)
        if is_tolerated(DOCUMENT, case.body, validator):
            return None
    return negative_data_rejection(ctx, response, case)
