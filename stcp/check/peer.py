# SPDX-License-Identifier: MIT
"""The raw peer: one end of an STCP connection that does what a rule tells it, and nothing else.

It sends segments made by hand, and keeps book of what comes: every segment with its time, the bytes
in order, the acknowledgments. Numbers: `snd` is the next one we send, `una` what we have
acknowledged last, `rcv` the next one that the other side sends. Nothing is acknowledged unless it
is told to, or `auto_ack` is set."""

import socket
import time

from . import wire
from .wire import ACK, FIN, SYN


class Broken(Exception):
    """A rule does not hold; the text says what was seen."""


class Unclear(Exception):
    """Nothing can be said about the rule."""


class Peer:
    def __init__(self, connection, limit, mss, isn=200):
        self.connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ports = (connection.getsockname()[1], connection.getpeername()[1])
        self.limit = limit           # the largest window that may be used
        self.mss = mss               # bytes of data of a segment, at most
        self.isn = self.snd = isn
        self.win = limit
        self.rcv = self.una = None   # None: their SYN has not come
        self.edge = 0                # up to where we have ever let them send
        self.segments = []           # all that came
        self.times = []
        self.trace = []              # (seconds, "<" or ">", segment)
        self.data = bytearray()      # of theirs, in order
        self.sent = bytearray()      # of ours, in order
        self.has_fin = False
        self.last_ack = None
        self.repeats = []            # segments that came again
        self.beyond = []             # segments outside of every window we have offered
        self.gap = None              # a segment that left something out
        self.auto_ack = False
        self.drop = None             # a function: whether to overlook a segment
        self.is_closed = False
        self.buffer = b""
        self.started = time.monotonic()

    # ---- Sending.

    def send(self, flags, data=b"", seq=None, ack=None, options=b""):
        """One segment; numbers are the current ones unless given. Nothing is counted."""
        if ack is None:
            ack = self.una if flags & ACK and self.una is not None else 0
        raw = wire.encode(self.ports, self.snd if seq is None else seq, ack, flags, self.win,
                          options, data)
        if flags & ACK:
            self.edge = max(self.edge, ack + min(self.win, self.limit))
        self.trace.append((time.monotonic() - self.started, ">", wire.Segment(raw)))
        self.put(wire.frame(raw))

    def put(self, data):
        try:
            self.connection.sendall(data)
        except OSError:
            self.is_closed = True

    def send_data(self, data, flags=ACK, **fields):
        """New bytes, in order; in more than one segment if need be."""
        while len(data) > self.mss:
            self.send_data(data[:self.mss], flags & ~FIN, **fields)
            data = data[self.mss:]
        self.send(flags, data, **fields)
        self.snd += len(data)
        self.sent += data

    def send_fin(self, data=b"", flags=FIN | ACK, **fields):
        self.send_data(data, flags, **fields)
        self.snd += 1

    def ack_all(self, win=None):
        """Acknowledges all that has come, with a new window if one is given."""
        if win is not None:
            self.win = win
        self.una = self.rcv
        self.send(ACK)

    # ---- Receiving.

    def on_ready(self):
        try:
            more = self.connection.recv(262144)
        except OSError:
            more = b""
        if not more:
            self.is_closed = True
            return
        data, at, now = self.buffer + more, 0, time.monotonic()
        while len(data) - at >= 2:
            size = int.from_bytes(data[at:at + 2], "big")
            if not 20 <= size <= 1500:
                raise Broken(f"a frame has {size} bytes; 20 to 1500 is what there can be")
            if len(data) - at < 2 + size:
                break
            self.take(wire.Segment(data[at + 2:at + 2 + size]), now)
            at += 2 + size
        self.buffer = data[at:]

    def take(self, segment, now):
        self.trace.append((now - self.started, "<", segment))
        self.segments.append(segment)
        self.times.append(now)
        if self.drop and self.drop(segment):
            return
        if segment.has(ACK):
            self.last_ack = segment.ack
        if segment.has(SYN):
            if self.rcv is None:
                self.rcv = self.una = segment.end
                self.edge = self.una + min(self.win, self.limit)
            else:
                self.repeats.append(segment)
        elif segment.payload or segment.has(FIN):
            self.take_bytes(segment)

    def take_bytes(self, segment):
        if self.rcv is None:
            return
        if segment.payload and segment.seq + len(segment.payload) > self.edge:
            self.beyond.append(segment)
        if segment.seq == self.rcv and not self.has_fin:
            self.data += segment.payload
            self.has_fin = segment.has(FIN)
            self.rcv = segment.end
        elif segment.end <= self.rcv:
            self.repeats.append(segment)
        elif self.gap is None:
            self.gap = (self.rcv, segment)
        if self.auto_ack:
            self.ack_all()

    # ---- What came.

    def first(self, flags):
        """The first segment with these flags, and its place."""
        return next((segment for segment in self.segments if segment.has(flags)), None)

    def show(self, count=14):
        """The last segments, as text."""
        lines = [f"{at * 1000:9.1f} ms {'tested >' if way == '<' else 'checker>'} {segment}"
                 for at, way, segment in self.trace[-count:]]
        left = len(self.trace) - count
        return ([f"          ... {left} segments before"] if left > 0 else []) + lines
