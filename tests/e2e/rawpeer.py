# SPDX-License-Identifier: MIT
"""A node that is only a UDP socket and a few lines of Python: IPv4 and TCP packets made by hand, to
see what weir really sends, and to send what no decent node would."""

import socket
import struct
import time

import nodes

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_packet(source, target, protocol, payload, ttl=16, options=b""):
    source, target = socket.inet_aton(source), socket.inet_aton(target)
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(payload), 0, 0, ttl,
                       protocol, 0) + source + target + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp_segment(source, target, sport, dport, seq, ack, flags, window=65535, data=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 5 << 4,
                       flags, window, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + \
        struct.pack("!BBH", 0, 6, len(head) + len(data))
    total = checksum(pseudo + head + data)
    return head[:16] + struct.pack("!H", total) + head[18:] + data


class Segment:
    """A received TCP segment, taken apart."""

    def __init__(self, packet):
        header = (packet[0] & 15) * 4
        total = struct.unpack("!H", packet[2:4])[0]
        self.protocol, self.ttl = packet[9], packet[8]
        self.source, self.target = map(socket.inet_ntoa, (packet[12:16], packet[16:20]))
        self.payload = packet[header:total]
        if self.protocol == 6:
            (self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.window) = \
                struct.unpack("!HHIIBBH", self.payload[:16])
            self.data = self.payload[(offset >> 4) * 4:]
            self.offset = offset >> 4


class RawNode:
    """Plays the node `name` of a network that was started without it; speaks to the neighbour that
    owns UDP port `peer_port`."""

    def __init__(self, port, peer_port, address, peer):
        self.address, self.peer = address, peer
        self.to = ("127.0.0.1", peer_port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, packet):
        self.socket.sendto(packet, self.to)

    def send_tcp(self, sport, dport, seq, ack, flags, data=b"", target=None, window=65535):
        target = target or self.peer
        self.send(ip_packet(self.address, target, 6,
                            tcp_segment(self.address, target, sport, dport, seq, ack, flags,
                                        window, data)))

    def receive(self, wanted=lambda segment: True, timeout=5):
        """The next segment that is wanted."""
        deadline = time.monotonic() + timeout * nodes.SLOW
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise nodes.Timeout("no such segment came")
            self.socket.settimeout(left)
            try:
                segment = Segment(self.socket.recv(65536))
            except socket.timeout:
                continue
            if wanted(segment):
                return segment

    def drain(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(65536)
        except BlockingIOError:
            pass
        finally:
            self.socket.setblocking(True)
