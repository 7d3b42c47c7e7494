"""RTP packets and what they show."""

import socket
import struct


def packet(sequence, payload=b"\xff" * 160, ssrc=0x4711, payload_type=0):
    """One packet of PCMU: 20 ms when its payload is left alone."""
    header = struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc)
    return header + payload


def drain(receiver, most=1_000_000):
    """What lies at a socket: how many packets, how many bytes."""
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
