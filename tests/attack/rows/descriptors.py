"""Too few file descriptors, and their distribution."""

import json
import time

from .. import measure
from ..api import expect, send
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
    one customer of the platform places hundreds of calls at once. The API, the control API and another account's
    call still work.
    """
    soft, calls, bursts = case.size((1024, 1200, 12), (256, 300, 4))
    for what, hard in (("soft limit", 20_000), ("hard limit", soft)):
        server = case.server(config=PLATFORM, files=(soft, hard))
        trunk = server.account.trunk(rtp_timeout=600)
        other = server.control.account(server, name="other")
        theirs = other.trunk(allowed=("127.0.0.3",))
        what = f"{what} of {soft:,}"
        with Phone(server, "127.0.0.2", trunk) as phone:
            phone.place_many(calls, seconds=case.size(40, 20), at_once=32)
            case.at_most(f"{what}, {calls:,} calls of a trunk: slowest other answer",
                         worst_of_three(server, theirs), 1.0, "s")
        customer = Customer(server)
        # No one answers there, so calls last as long as they can.
        with datagram_socket("127.0.0.98") as silent:
            for _ in range(bursts):
                customer.burst(silent.getsockname(), 100)
            case.at_most(f"{what}, {bursts * 100:,} calls out of a customer: slowest other answer",
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
        made = server.control.send("POST", "customers", {"name": "bursting"})
        self.id = expect(made, "making a customer")["id"] if made.status else None
        self.key = None
        if self.id:
            made = server.control.send("POST", f"customers/{self.id}/accesskeys", {"name": "attack"})
            self.key = made.json().get("accesskey") if made.status == 201 else None

    def burst(self, target, count):
        """Places this number of calls with one request; the answer is ignored."""
        body = {"source": {"type": "sip", "target": "sip:attack@127.0.0.98"},
                "destinations": [{"type": "sip", "target": f"sip:{number}@{target[0]}:{target[1]}"}
                                 for number in range(count)],
                "actions": [{"type": "sleep", "option": {"duration": 60_000}}]}
        headers = {"Content-Type": "application/json"}
        self.last = send(self.server.api, "POST", f"/v1.0/calls?accesskey={self.key}", json.dumps(body), headers)
