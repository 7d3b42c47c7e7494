"""Media sent to an address that did not ask for it."""

import time

from .. import rtp, sip
from ..case import attack
from ..phone import Phone, datagram_socket

VICTIM = "127.0.0.99"
PACKETS = 200


@attack("reflector-media")
def reflector_media(case):
    """The offer of a call, and twenty later re-INVITEs, name another machine's address for the media, while the
    caller floods the call: that address receives at most one packet. A caller receives no more than it sent.
    """
    server = case.server()
    for symmetric in (False, True):
        for ping in (False, True):
            trunk = server.account.trunk(force_symmetric_rtp=symmetric, rtp_ping=ping)
            what = f"force_symmetric_rtp {str(symmetric).lower()}, rtp_ping {str(ping).lower()}"
            with Phone(server, "127.0.0.2", trunk) as phone, datagram_socket(VICTIM) as victim:
                call = phone.place(media=victim.getsockname())
                flood(phone, call)
                for turn in range(20):
                    phone.ask(call, "INVITE", 2, body=sip.offer(*victim.getsockname(), version=2 + turn))
                    flood(phone, call, 5)
                time.sleep(0.3)
                case.at_most(f"{what}: packets to another's address", rtp.drain(victim)[0], 1)
                if symmetric or not ping:
                    continue
                echo(case, server, trunk)


def flood(phone, call, packets=PACKETS):
    if call.media:
        for sequence in range(packets):
            phone.media.sendto(rtp.packet(sequence), call.media)


def echo(case, server, trunk):
    """Returns the bytes received for bytes sent, if the caller names its own address."""
    with Phone(server, "127.0.0.2", trunk) as phone:
        call = phone.place()
        size = 0
        for sequence in range(PACKETS):
            data = rtp.packet(sequence, b"\xff" * (sequence % 160))
            phone.media.sendto(data, call.media)
            size += len(data)
            time.sleep(0.002)
        time.sleep(0.3)
        case.at_most("bytes back for each byte sent, one ping apart", (rtp.drain(phone.media)[1] - 14) / size, 1.0)
