# SPDX-License-Identifier: MIT
"""STCP segments as they travel: 2 bytes of length, 20 bytes of header, options, payload."""

import functools
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PUSH"), (ACK, "ACK"), (URG, "URG"))
HEADER = struct.Struct("!HHIIBBHHH")
LOOPBACK = "127.0.0.1"


class Segment:
    """A segment that has arrived, or that is to be sent."""

    def __init__(self, raw):
        (self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.win, self.sum,
         self.urp) = HEADER.unpack_from(raw)
        self.off, self.x2 = offset >> 4, offset & 15
        self.raw = raw
        self.payload = raw[4 * max(self.off, 5):]

    @property
    def end(self):
        """The number after its last one."""
        takes = bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.seq + len(self.payload) + takes) & 0xffffffff

    def has(self, flags):
        return self.flags & flags == flags

    def __str__(self):
        flags = "|".join(name for bit, name in NAMES if self.flags & bit) or "no flags"
        text = f"{flags} seq {self.seq} ack {self.ack} win {self.win}"
        if self.off != 5:
            text += f" off {self.off}"
        return text + (f", {len(self.payload)} bytes" if self.payload else "")


def fold(total):
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def checksum(data):
    """The one's complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    return fold(sum(struct.unpack(f"!{len(data) // 2}H", data)))


@functools.lru_cache(maxsize=None)
def pseudo_addresses():
    """What the addresses add: that of this machine's own name, and the peer's: loopback."""
    try:
        own = socket.gethostbyname(socket.gethostname())
    except OSError:
        own = LOOPBACK
    return checksum(socket.inet_aton(own) + socket.inet_aton(LOOPBACK))


def checksum_with_pseudo(data):
    """0xffff for a segment whose sum is right."""
    return fold(checksum(data) + pseudo_addresses() + 6 + len(data))


def encode(ports, seq, ack, flags, win, options=b"", payload=b""):
    """A segment with a right checksum; options are filled up to whole words."""
    options += b"\0" * (-len(options) % 4)
    offset = (5 + len(options) // 4) << 4

    def header(total):
        return HEADER.pack(*ports, seq & 0xffffffff, ack & 0xffffffff, offset, flags, win, total, 0)

    body = options + payload
    return header(0xffff - checksum_with_pseudo(header(0) + body)) + body


def frame(raw):
    return struct.pack("!H", len(raw)) + raw
