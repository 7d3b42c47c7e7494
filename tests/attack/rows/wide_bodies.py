"""Bodies of one mebibyte whose cost could grow with the square of their length."""

import json
import threading

from .. import measure
from ..api import MEDIA_TYPE, send
from ..case import attack
from ..wellbeing import api

MEBIBYTE = 1 << 20
# As many clients as cores: each can hold one.
CLIENTS = 2


def members():
    """A trunk with tens of thousands of attributes."""
    names = (f'"{number:x}":1' for number in range(100_000))
    return "POST", "/v3/voice_out_trunks", '{"data":{"type":"voice_out_trunks","attributes":{' + ",".join(names) + "}}}"


def repeated_members():
    """A trunk with one attribute tens of thousands of times."""
    names = ",".join(['"name":"x"'] * 80_000)
    return "POST", "/v3/voice_out_trunks", '{"data":{"type":"voice_out_trunks","attributes":{' + names + "}}}"


def identifiers():
    """A trunk with tens of thousands of related records."""
    ids = [{"type": "dids", "id": f"00000000-0000-4000-8000-{number:012x}"} for number in range(15_000)]
    relationships = {"dids": {"data": ids}}
    body = {"data": {"type": "voice_out_trunks", "attributes": {"name": "x"}, "relationships": relationships}}
    return "POST", "/v3/voice_out_trunks", json.dumps(body, separators=(",", ":"))


@attack("wide-bodies")
def wide_bodies(case):
    """As many clients as there are cores send a body of a mebibyte with very many members or related records. Each is
    answered soon, and so are the reads of others meanwhile.
    """
    server = case.server()
    for kind in (members, repeated_members, identifiers):
        method, path, body = kind()
        assert len(body) <= MEBIBYTE, len(body)
        headers = server.account.headers | {"Content-Type": MEDIA_TYPE}
        answers = []

        def request():
            answers.append(send(server.api, method, path, body, headers, timeout=30.0))

        with measure.Pulse(lambda: api(server, timeout=30.0), 0.01) as reads:
            clients = [threading.Thread(target=request) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        what = kind.__name__.replace("_", " ")
        case.at_most(f"{what}: slowest answer", max(answer.seconds for answer in answers), case.size(1.0, 3.0), "s")
        case.at_most(f"{what}: another client's slowest read", reads.slowest, case.size(1.0, 3.0), "s")
        case.at_most(f"{what}: requests without an answer of the API", sum(not 400 <= answer.status < 500 for answer in answers), 0)
