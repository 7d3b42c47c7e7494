"""RTP packets."""

import socket
import struct


def packet(sequence, payload=b"\xff" * 160, ssrc=0x4711, payload_type=0):
    """Returns one packet of PCMU; the default payload is 20 ms."""
    header = struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc)
    return header + payload


def drain(receiver, most=1_000_000):
    """Reads all packets that wait at a socket. Returns their number and their bytes."""
    packets = size = 0
    while packets < most:
        try:
            data = receiver.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
        except OSError:
            continue
        packets, size = packets + 1, size + len(data)
    return packets, size
