"""Requests inside another caller's call."""

import time

from .. import rtp, sip
from ..case import attack
from ..phone import Phone, datagram_socket


@attack("in-dialog-hijack")
def in_dialog_hijack(case):
    """Another address knows the tags of a call and sends re-INVITE, UPDATE, INFO and BYE in it. None is accepted,
    the media's target is unchanged, the call stays up.
    """
    server = case.server()
    trunks = {
        "digest, foreign address": server.account.trunk(allowed=("127.0.0.2",)),
        "digest, allowed address": server.account.trunk(allowed=("127.0.0.3", "127.0.0.66")),
        "by address, foreign one": server.account.trunk_by_address(["127.0.0.4"]),
    }
    for number, (what, trunk) in enumerate(trunks.items()):
        with Phone(server, f"127.0.0.{2 + number}", trunk) as phone:
            hijack(case, server, what, phone)


def hijack(case, server, what, phone):
    call = phone.place()
    if call.media is None:
        raise RuntimeError(f"a call was not answered: {call.code}")
    with datagram_socket("127.0.0.66") as thief, datagram_socket("127.0.0.66") as loot:
        def accepted(*methods):
            return [method for method in methods if ask(server, call, thief, method, loot.getsockname()) == 200]

        taken = accepted("INVITE", "UPDATE")
        phone.run(lambda: False, 0.2)
        rtp.drain(phone.media)
        for sequence in range(20):
            phone.media.sendto(rtp.packet(sequence), call.media)
            time.sleep(0.01)
        time.sleep(0.2)
        case.at_most(f"{what}: packets that the other hears", rtp.drain(loot)[0], 0)
        case.at_least(f"{what}: packets of 20 that the caller hears", rtp.drain(phone.media)[0], 10)
        taken += accepted("INFO", "BYE")
        case.at_most(f"{what}: accepted of INVITE, UPDATE, INFO, BYE", len(taken), 0)
    active = server.control.get("calls/active")["calls"]
    case.at_least(f"{what}: call stays up", int(bool(active) and not call.ended), 1)
    phone.hang_up(call)


def ask(server, call, thief, method, media):
    """Returns the code of the answer to a request in the call from another address; None if there was none."""
    body = sip.offer(*media, version=9) if method in ("INVITE", "UPDATE") else b""
    call.sequence += 1
    text = sip.request(method, call.target, local=thief.getsockname(), call_id=call.id, sender=call.sender, to=call.to,
                       sequence=call.sequence, body=body)
    thief.settimeout(1.0)
    thief.sendto(text, server.sip)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        try:
            message = sip.Message.parse(thief.recv(65_536))
        except TimeoutError:
            return None
        if message.code >= 200:
            ack = sip.request("ACK", call.target, local=thief.getsockname(), call_id=call.id, sender=call.sender,
                              to=call.to, sequence=message.sequence)
            thief.sendto(ack, server.sip)
            return message.code
    return None
