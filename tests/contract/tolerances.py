"""How the server reads bodies that are invalid by their schema: the bodies that it accepts on purpose.

The schemas have what a client should send. docs/differences.md states the rest for DIDWW's API."""

import re

LEAVE_OUT = object()
NULL_IS_DEFAULT = {("default_dst_action",), ("dst_prefixes",), ("media_encryption_mode",), ("status",)}
ZERO = "00000000-0000-0000-0000-000000000000"


def of_versions(path, value):
    """The framework casts scalars, and PHP writes an empty object as a list."""
    if path[-1:] in (("attributes",), ("relationships",)) and value == []:
        yield {}
    if "attributes" not in path:
        return
    if value in ("true", "false"):
        yield value == "true"
    elif isinstance(value, str):
        yield from numbers(value)
    elif is_number(value):
        yield str(value)
    if path[-1] == "callback_url" and "://" not in str(value):
        # A URL without a scheme is one of HTTP.
        yield f"http://{value}"


def of_older_versions(path, value):
    """Before 2026-04-16, null is the default of some members."""
    yield from of_versions(path, value)
    if value is None and path[-1:] in NULL_IS_DEFAULT:
        yield LEAVE_OUT


def of_voipbin(path, value):
    """JSON is read as Go's decoder does: null leaves a member as it is. A text that is no UUID counts as the zero UUID."""
    if value is None:
        yield LEAVE_OUT if path else {}
    elif isinstance(value, str) and path[-1:] != ("id",):
        yield ZERO


def of_tokens(path, value):
    """A member that is null counts as absent."""
    if value is None and path:
        yield LEAVE_OUT


def of_control(path, value):
    """A balance may be a number."""
    if path == ("balance",) and is_number(value):
        yield str(value)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(text):
    if re.fullmatch(r"-?[0-9]+", text):
        yield int(text)
    elif re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        yield float(text)


def readings(document):
    version = document.removeprefix("published ")
    others = {"voipbin": of_voipbin, "control": of_control, "token": of_tokens}
    return others.get(version) or (of_older_versions if version < "2026-04-16" else of_versions)


def is_tolerated(document, body, validator):
    """Whether a body is valid once it is read as the server reads it. Each reading must leave fewer errors."""

    def wrong(body):
        return sum(1 for _ in validator.iter_errors(body))

    left, read = wrong(body), readings(document)
    while left:
        others = (replaced(body, path, other) for path, value in places(body) for other in read(path, value))
        better = next((other for other in others if wrong(other) < left), None)
        if better is None:
            return False
        body, left = better, wrong(better)
    return True


def places(value, path=()):
    yield path, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in pairs:
        yield from places(member, (*path, key))


def replaced(value, path, other):
    if not path:
        return other
    copy = value.copy()
    if other is LEAVE_OUT and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy
