"""Whether a server works during and after an attack."""

from . import measure
from .api import send
from .phone import Phone


def slowest_answer(server, trunk, source="127.0.0.2", timeout=5.0):
    """Returns the slowest of an API read, a control API request and a new call, in seconds. None if one was not
    answered.
    """
    return measure.percentile(answers(server, trunk, source, timeout), 1.0)


def answers(server, trunk, source="127.0.0.2", timeout=5.0):
    with Phone(server, source, trunk) as phone:
        return [api(server, source, timeout), control(server, timeout), phone.place_and_hang_up(timeout)]


def api(server, source=None, timeout=5.0):
    """Returns the seconds that a read of the API took."""
    account = server.account
    answer = send(server.api, "GET", "/v3/voice_out_trunks?page[size]=1", None, account.headers, source, timeout)
    return measure.seconds_of(answer)


def control(server, timeout=5.0):
    """Returns the seconds that a request to the control API took."""
    return measure.seconds_of(server.control.send("GET", "calls/counts", timeout=timeout))
