"""Too few file descriptors, and their distribution."""

import json
import time

from .. import measure
from ..api import send
from ..case import attack
from ..phone import Phone, datagram_socket
from ..wellbeing import slowest_answer

PLATFORM = """
[voipbin]
sip_bind = "127.0.0.1"
allow_private_destinations = true
probe_interval = 0
"""


@attack("descriptors")
def descriptors(case):
    """The process may open few files, and one trunk without a capacity limit receives more calls than that; then
    one customer of the platform places hundreds of calls at once. Each call is answered or refused. The API, the
    control API and another account's call still work.
    """
    soft, calls, bursts, burst = case.size((1024, 1200, 12, 100), (256, 300, 16, 25))
    for what, hard in (("soft limit", 20_000), ("hard limit", soft)):
        server = case.server(config=PLATFORM, files=(soft, hard))
        trunk = server.account.trunk(rtp_timeout=600)
        other = server.control.account(server, name="other")
        theirs = other.trunk(allowed=("127.0.0.3",))
        what = f"{what} of {soft:,}"
        with Phone(server, "127.0.0.2", trunk) as phone:
            placed = phone.place_many(calls, seconds=case.size(40, 20), at_once=32)
            case.at_least(f"{what}, {calls:,} calls of a trunk: answered or refused",
                          sum(call.code is not None for call in placed), calls)
            # The soft limit is raised, so all of them fit. Below a hard limit, an eighth of it fits an account's share.
            case.at_least(f"{what}, {calls:,} calls of a trunk: those that are up", sum(call.up for call in placed),
                          calls if hard > soft else soft // 8)
            case.at_most(f"{what}, {calls:,} calls of a trunk: slowest other answer",
                         worst_of_three(server, theirs), 1.0, "s")
        customer = Customer(server)
        # No one answers there, so calls last as long as they can.
        with datagram_socket("127.0.0.98") as silent:
            answers = [customer.burst(silent.getsockname(), burst) for _ in range(bursts)]
            which = f"{what}, {bursts * burst:,} calls out of a customer"
            placing = sum(200 <= answer.status < 300 for answer in answers)
            refused = sum(answer.status == 429 and answer.retry_after is not None for answer in answers)
            # A customer may have 500 calls, or fewer if few files may be open.
            case.at_least(f"{which}: requests that placed {burst} calls", placing,
                          min(bursts, 500 // burst) if hard > soft else 1)
            case.at_least(f"{which}: requests that placed calls, or were refused with 429 and Retry-After",
                          placing + refused, bursts)
            case.at_most(f"{which}: slowest other answer",
                         worst_of_three(server, theirs), 1.0, "s")
        server.kill()


def worst_of_three(server, trunk):
    seen = []
    for _ in range(3):
        seen.append(slowest_answer(server, trunk, "127.0.0.3"))
        time.sleep(0.3)
    return measure.percentile(seen, 1.0)


class Customer:
    """A customer of the platform who may call SIP URIs."""

    def __init__(self, server):
        self.server = server
        self.id = server.control.post("customers", name="bursting")["id"]
        self.key = server.control.post(f"customers/{self.id}/accesskeys", name="attack")["accesskey"]

    def burst(self, target, count):
        """Places this number of calls with one request. Returns the answer."""
        body = {"source": {"type": "sip", "target": "sip:attack@127.0.0.98"},
                "destinations": [{"type": "sip", "target": f"sip:{number}@{target[0]}:{target[1]}"}
                                 for number in range(count)],
                "actions": [{"type": "sleep", "option": {"duration": 60_000}}]}
        headers = {"Content-Type": "application/json"}
        return send(self.server.api, "POST", f"/v1.0/calls?accesskey={self.key}", json.dumps(body), headers)
