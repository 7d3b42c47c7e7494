"""Media that a caller directs at the server itself."""

import time

from .. import measure, rtp, sip
from ..case import attack
from ..phone import Phone
from ..wellbeing import slowest_answer


@attack("media-to-own-port")
def media_to_own_port(case):
    """A caller sends re-INVITEs that direct its media at the edge: at its own media port, at the edge's SIP port,
    at another call. One packet of the caller would then start a loop.
    """
    aims = {"its own media port": own_media_port, "the SIP port": sip_port, "another call": one_another}
    for name, aim in aims.items():
        server = case.server()
        trunk = server.account.trunk()
        with Phone(server, "127.0.0.2", trunk) as phone:
            aim(phone)
            case.at_most(f"{name}: slowest of API, control and a new call", slowest_answer(server, trunk), 1.0, "s")
            time.sleep(case.size(2.0, 0.5))
            share = measure.cpu_share(server.pid, case.size(2.0, 1.0))
            case.at_most(f"{name}: share of a core afterwards", share, 20.0, "%")
            case.at_most(f"{name}: SIGTERM to the end of the process", server.stop(), 12.0, "s")


def aim(phone, call, target):
    """Directs a call's media at the target, and sends one packet to start it."""
    phone.ask(call, "INVITE", body=sip.offer(*target, version=2))
    for sequence in range(3):
        phone.media.sendto(rtp.packet(sequence), call.media)


def own_media_port(phone):
    call = placed(phone)
    aim(phone, call, call.media)


def sip_port(phone):
    aim(phone, placed(phone), phone.server.sip)


def one_another(phone):
    first, second = placed(phone), placed(phone)
    aim(phone, first, second.media)
    aim(phone, second, first.media)


def placed(phone):
    call = phone.place()
    if call.media is None:
        raise RuntimeError(f"a call was not answered: {call.code}")
    return call
