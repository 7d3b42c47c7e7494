"""Whether a server still does its work while it is attacked, or after."""

from . import measure
from .api import send
from .phone import Phone


def slowest_answer(server, trunk, source="127.0.0.2", patience=5.0):
    """The slowest of: an API read, the control API, a new call. None where one was not answered."""
    return measure.percentile(answers(server, trunk, source, patience), 1.0)


def answers(server, trunk, source="127.0.0.2", patience=5.0):
    with Phone(server, source, trunk) as phone:
        return [api(server, source, patience), control(server, patience), phone.place_and_hang_up(patience)]


def api(server, source=None, patience=5.0):
    """How long a read of the API took."""
    account = server.account
    answer = send(server.api, "GET", "/v3/voice_out_trunks?page[size]=1", None, account.headers, source, patience)
    return measure.seconds_of(answer)


def control(server, patience=5.0):
    """How long a request to the control API took."""
    return measure.seconds_of(server.control.send("GET", "calls/counts", patience=patience))
