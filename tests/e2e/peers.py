# SPDX-License-Identifier: MIT
"""Stand-ins for other implementations of the course's IP/TCP, with their odd habits as switches.

A Host, run by peer_loop.Loop, speaks TCP in Conn: an honest, small TCP wherever no switch of Quirks
says otherwise. REF23 and OTHERS are two sets of switches: the course's reference programs of 2023,
and the union of what students' implementations do. An application is a few fields of a Conn: bytes
to send, when to close.

A Host checks what it hears: a segment with a wrong checksum or length goes to Host.faults, which
tests want empty. Its loss is seeded, and spares what was lost before (data after two losses, an ACK
after one), so that a peer that gives up after three retransmissions never does so by bad luck.
"""

import dataclasses
import random
import re
import socket
import struct
import time

from peer_loop import NEVER, datagrams, udp_socket
from rawpeer import ACK, FIN, RST, SYN, Segment, checksum, ip_packet

MASK = 0xffffffff


@dataclasses.dataclass(frozen=True)
class Quirks:
    ttl: int = 16
    cuts: tuple = (1360, 688)      # sizes of data segments, in turn
    isn: tuple = (0, MASK)
    window: int = 65535
    window_updates: bool = False   # an ACK when reading has opened a window
    read_delay: float = 0.002      # how long the application takes to come and read
    probe_interval: float = 1.0
    hears_updates: bool = True     # else only its own probes tell it that a window is open
    resends_probe: bool = True     # goes on from the probed byte, though it was acked
    rto_initial: float = 1.3
    rto_min: float = 0.1
    tick: float = 0                # timers are looked at only so often
    retries: int = 3
    modular: bool = True           # sequence numbers are compared modulo 2^32
    obeys_rst: bool = True
    burst_kills: float = 0         # data so soon after the handshake's ACK: the socket is dead
    drops_early_data: bool = False  # data before the handshake's ACK, or with it
    shuffles: bool = False         # handles the datagrams of a batch in any order
    bare_fin: bool = False         # always
    refin: bool = True             # repeats its FIN, bare, in FIN_WAIT_2
    fin_for_data: bool = True      # in FIN_WAIT_2: answers the first data with a bare FIN
    short_ack: bool = True         # data from CLOSE_WAIT does not acknowledge the FIN
    time_wait: float = 10
    ip_options: bytes = b""
    tcp_options: bytes = b""


REF23 = Quirks()
OTHERS = Quirks(ttl=32, cuts=(1024,), isn=(500, 6000), window=8192, window_updates=True,
                resends_probe=False, rto_initial=0.5, tick=0.25, retries=5, modular=False,
                obeys_rst=False, drops_early_data=True, shuffles=True, bare_fin=True, refin=False,
                fin_for_data=False, short_ack=False, time_wait=5, ip_options=b"\1\1\1\0",
                tcp_options=b"\2\4\5\120\1\1\10\12\0\0\0\1\0\0\0\2")


def tcp_segment(conn, seq, ack, flags, window, data):
    options = conn.quirks.tcp_options
    options += b"\1" * (-len(options) % 4)
    offset = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", conn.port, conn.peer_port, seq & MASK, ack & MASK,
                       offset << 4, flags, window, 0, 0) + options
    pseudo = socket.inet_aton(conn.host.address) + socket.inet_aton(conn.peer) + \
        struct.pack("!HH", 6, len(head) + len(data))
    total = checksum(pseudo + head + data)
    return head[:16] + struct.pack("!H", total) + head[18:] + data


class Host:
    """A host with one interface on UDP port `port`, joined to the UDP port `to`."""

    def __init__(self, address, port, to, quirks=REF23, loss=0.0, seed=1):
        self.address, self.to, self.quirks, self.loss = address, ("127.0.0.1", to), quirks, loss
        self.sockets = [udp_socket(port)]
        self.random = random.Random(seed)
        self.conns, self.listeners = {}, {}
        self.faults, self.lost, self.resets = [], {}, 0
        self.loses = lambda direction, segment: False  # what a test wants lost besides

    @classmethod
    def from_lnx(cls, path, **options):
        text = path.read_text()
        own = re.search(r"^interface \S+ ([\d.]+)/\d+ \S+:(\d+)", text, re.M)
        gateway = re.search(r"^route 0.0.0.0/0 via (\S+)", text, re.M).group(1)
        to = re.search(rf"^neighbor {gateway} at \S+:(\d+)", text, re.M).group(1)
        return cls(own.group(1), int(own.group(2)), int(to), **options)

    def __repr__(self):
        return f"<{self.address} {list(self.conns.values())} faults {self.faults}>"

    def start(self, now):
        pass

    def close(self):
        for sock in self.sockets:
            sock.close()

    def deadline(self):
        return min((conn.deadline() for conn in self.conns.values()), default=NEVER)

    def expire(self, now):
        for conn in list(self.conns.values()):
            conn.expire(now)

    def listen(self, port, **application):
        """The next connection to the port gets this application (see Conn)."""
        self.listeners[port] = application

    def connect(self, peer, peer_port, **application):
        conn = Conn(self, self.random.randrange(1024, 65536), peer, peer_port, **application)
        conn.open(time.monotonic())
        return conn

    def is_lost(self, direction, segment):
        """Loss both ways, here at the host's own link."""
        if self.loses(direction, segment):
            return True
        if self.random.random() >= self.loss:
            return False
        counts = segment.data or segment.flags & (SYN | FIN)
        key = (direction, bool(counts), segment.seq if counts else segment.ack)
        self.lost[key] = self.lost.get(key, 0) + 1
        return self.lost[key] <= (2 if counts else 1)

    def send(self, conn, seq, ack, flags, window, data=b""):
        packet = ip_packet(self.address, conn.peer, 6,
                           tcp_segment(conn, seq, ack, flags, window, data), self.quirks.ttl,
                           self.quirks.ip_options)
        if not self.is_lost("out", Segment(packet)):
            self.sockets[0].sendto(packet, self.to)

    def readable(self, sock):
        batch = datagrams(sock)
        if self.quirks.shuffles:
            for index in range(1, len(batch)):
                if self.random.random() < 0.1:
                    batch[index - 1:index + 1] = reversed(batch[index - 1:index + 1])
        for stamp, _, packet in batch:
            self.input(packet, stamp)

    def input(self, packet, stamp):
        segment = Segment(packet)
        if segment.target != self.address or segment.protocol != 6 or segment.ttl <= 1:
            return
        pseudo = packet[12:20] + struct.pack("!HH", 6, len(segment.payload))
        if packet[0] != 0x45 or checksum(packet[:20]) or checksum(pseudo + segment.payload):
            self.faults.append(f"bad packet {packet[:40].hex()}")
        if not segment.flags & (ACK | SYN | RST):
            self.faults.append(f"no ACK in {packet[:40].hex()}")
        if len(packet) > 1400 or segment.offset != 5:
            self.faults.append(f"{len(packet)} bytes, offset {segment.offset}")
        if self.is_lost("in", segment):
            return
        key = (segment.dport, segment.source, segment.sport)
        if segment.flags & RST and key in self.conns:  # in TIME_WAIT: for an ACK too many
            self.resets += self.conns[key].state not in ("TIME_WAIT", "CLOSED")
        if key in self.conns:
            self.conns[key].input(segment, stamp, time.monotonic())
        elif segment.dport in self.listeners and segment.flags == SYN:
            conn = Conn(self, segment.dport, segment.source, segment.sport,
                        **self.listeners.pop(segment.dport))
            conn.accept(segment, time.monotonic())


class Conn:
    """One connection. Application: `to_send` is written at once; the connection is closed when all
    that was sent (`closes` "sent"), when the end of the peer's stream was read ("eof"), when that
    many bytes were read (a number), or by close()."""

    def __init__(self, host, port, peer, peer_port, to_send=b"", closes="eof"):
        self.host, self.quirks = host, host.quirks
        self.port, self.peer, self.peer_port = port, peer, peer_port
        self.out, self.closes, self.closing = bytearray(to_send), closes, False
        self.iss = host.random.randrange(*self.quirks.isn)
        self.una = self.nxt = self.top = self.iss  # acked, next, highest sent
        self.wnd, self.rcv, self.state = 0, 0, "CLOSED"
        self.received, self.unread, self.waiting = bytearray(), bytearray(), {}
        self.fin_at, self.has_fin = None, False
        self.flight, self.retries, self.rto = [], 0, self.quirks.rto_initial
        self.srtt, self.established, self.refins, self.probes = None, None, 0, 0
        self.answered, self.states = False, []
        self.timers = dict.fromkeys(("resend", "probe", "read", "refin", "end"), NEVER)
        host.conns[(port, peer, peer_port)] = self

    def __repr__(self):
        return f"{self.states} sent {self.diff(self.una, self.iss)} read {len(self.received)}"

    def enter(self, state):
        self.state = state
        self.states.append(state)
        if state in ("CLOSED", "DEAD"):  # what has arrived is still read
            self.timers = dict.fromkeys(self.timers, NEVER) | {"read": self.timers["read"]}

    def diff(self, left, right):
        if not self.quirks.modular:
            return (left & MASK) - (right & MASK)
        return ((left - right + 0x80000000) & MASK) - 0x80000000

    # ---- Sending

    def window(self):
        return max(0, self.quirks.window - len(self.unread))

    def send(self, seq, flags, data=b"", ack=None):
        self.host.send(self, seq, self.rcv if ack is None else ack, flags, self.window(), data)

    def send_ack(self):
        self.send(self.nxt if self.diff(self.nxt, self.una) > 0 else self.una, ACK)

    def open(self, now):
        self.enter("SYN_SENT")
        self.transmit(self.iss, SYN, 0, now)

    def accept(self, segment, now):
        self.enter("SYN_RECEIVED")
        self.rcv, self.wnd = (segment.seq + 1) & MASK, segment.window
        self.transmit(self.iss, SYN | ACK, 0, now)

    def transmit(self, seq, flags, length, now):
        """Something new that is sent again until it is acked."""
        self.flight.append([seq, flags, length, now, False])
        self.nxt = (seq + length + bool(flags & (SYN | FIN))) & MASK
        if self.diff(self.nxt, self.top) > 0:
            self.top = self.nxt
        self.emit(self.flight[-1])
        if self.timers["resend"] == NEVER:
            self.arm(now)

    def emit(self, entry):
        seq, flags, length = entry[:3]
        start = (seq - self.iss - 1) & MASK
        ack = self.rcv
        if flags & FIN and self.quirks.bare_fin:
            flags, ack = FIN, 0
        if flags == SYN:
            ack = 0
        if length and self.quirks.short_ack and self.state == "CLOSE_WAIT":
            ack = (self.rcv - 1) & MASK
        self.send(seq, flags, bytes(self.out[start:start + length]) if length else b"", ack)

    def later(self, now, delay):
        due, tick = now + delay, self.quirks.tick
        return (due // tick + 1) * tick if tick else due

    def arm(self, now):
        self.timers["resend"] = self.later(now, self.rto * (self.retries + 1)) \
            if self.flight else NEVER

    def pump(self, now):
        """New data as the window allows, then the FIN."""
        if self.state not in ("ESTABLISHED", "CLOSE_WAIT"):
            return
        while self.send_some(now):
            pass
        sent = (self.nxt - self.iss - 1) & MASK
        if sent < len(self.out):
            if self.wnd == 0 and self.timers["probe"] == NEVER:
                self.timers["probe"] = now + self.quirks.probe_interval
        elif self.closing or self.closes == "sent":
            self.transmit(self.nxt, FIN | ACK, 0, now)
            self.enter("FIN_WAIT_1" if self.state == "ESTABLISHED" else "LAST_ACK")

    def send_some(self, now):
        start = (self.nxt - self.iss - 1) & MASK
        place = start % sum(self.quirks.cuts)
        for cut in self.quirks.cuts:
            if place < cut:
                break
            place -= cut
        room = min(self.wnd, 65535) - self.diff(self.nxt, self.una)
        length = min(cut - place, len(self.out) - start, room)
        if length <= 0:
            return False
        self.transmit(self.nxt, ACK, length, now)
        return True

    def write(self, data):
        self.out += data
        self.pump(time.monotonic())

    def close(self):
        self.closing = True
        self.pump(time.monotonic())

    # ---- Time

    def deadline(self):
        return min(self.timers.values())

    def expire(self, now):
        for name, due in list(self.timers.items()):
            if due <= now:
                self.timers[name] = NEVER
                getattr(self, "expire_" + name)(now)

    def expire_resend(self, now):
        if not self.flight:
            return
        if self.retries >= self.quirks.retries:
            self.enter("DEAD")
            return
        self.retries += 1
        self.flight[0][4] = True
        self.emit(self.flight[0])
        self.arm(now)

    def expire_probe(self, now):
        start = (self.nxt - self.iss - 1) & MASK
        if self.wnd or start >= len(self.out):
            return
        self.send(self.nxt, ACK, bytes(self.out[start:start + 1]))
        self.top = (self.nxt + 1) & MASK
        self.probes += 1
        self.timers["probe"] = now + self.quirks.probe_interval

    def expire_read(self, now):
        was_closed = self.window() < 2 * max(self.quirks.cuts)
        self.received += self.unread
        self.unread.clear()
        if self.state in ("CLOSED", "DEAD"):
            return
        if was_closed and self.quirks.window_updates:
            self.send_ack()
        if (self.closes == "eof" and self.has_fin) or \
                (isinstance(self.closes, int) and len(self.received) >= self.closes):
            self.closing = True
            self.pump(now)

    def expire_refin(self, now):
        if self.state == "FIN_WAIT_2" and self.refins < 3:
            self.refins += 1
            self.send(self.nxt - 1, FIN, ack=0)
            self.timers["refin"] = now + self.rto * (self.refins + 1)

    def expire_end(self, now):
        self.enter("CLOSED")

    # ---- Input

    def input(self, segment, stamp, now):
        if self.state in ("CLOSED", "DEAD"):
            return
        if segment.flags & RST:
            if self.quirks.obeys_rst:
                self.enter("CLOSED")
            return
        if self.state == "SYN_SENT":
            self.input_syn_sent(segment, now)
            return
        if segment.flags & SYN:
            if self.state == "SYN_RECEIVED":
                self.emit(self.flight[0])
            else:
                self.send_ack()
            return
        if not segment.flags & ACK or not self.input_handshake(segment, stamp):
            return
        self.input_ack(segment, now)
        if segment.data or segment.flags & FIN:
            self.input_data(segment, now)
        self.pump(now)

    def input_syn_sent(self, segment, now):
        if segment.flags & (SYN | ACK) == SYN | ACK and segment.ack == self.top:
            self.rcv = (segment.seq + 1) & MASK
            self.enter("ESTABLISHED")
            self.input_ack(segment, now)
            self.send_ack()
            self.pump(now)

    def input_handshake(self, segment, stamp):
        """False: the segment goes no further."""
        if self.state == "SYN_RECEIVED":
            if segment.ack != self.top or (segment.data and self.quirks.drops_early_data):
                return False
            self.enter("ESTABLISHED")
            self.established = stamp
        if segment.data and self.established and \
                stamp - self.established < self.quirks.burst_kills:
            self.enter("DEAD")
            return False
        return True

    def input_ack(self, segment, now):
        if self.diff(segment.ack, self.una) < 0 or self.diff(segment.ack, self.top) > 0:
            return
        if self.wnd == 0 and segment.ack == self.una and not self.quirks.hears_updates and \
                self.state != "SYN_SENT":
            return
        self.wnd = segment.window
        if self.wnd:
            self.timers["probe"] = NEVER
        if segment.ack == self.una:
            return
        self.una, self.retries = segment.ack, 0
        if self.diff(self.una, self.nxt) > 0 and not self.quirks.resends_probe:
            self.nxt = self.una
        clean = not any(entry[4] for entry in self.flight)
        while self.flight:
            seq, flags, length, sent, _ = self.flight[0]
            if self.diff(seq + length + bool(flags & (SYN | FIN)), self.una) > 0:
                break
            self.flight.pop(0)
            if clean:
                self.sample(now - sent)
            if flags & FIN:
                self.fin_acked(now)
        self.arm(now)

    def sample(self, rtt):
        self.srtt = rtt if self.srtt is None else 0.8 * self.srtt + 0.2 * rtt
        self.rto = max(self.quirks.rto_min, min(1.5 * self.srtt, 5))

    def fin_acked(self, now):
        if self.state == "FIN_WAIT_1":
            self.enter("FIN_WAIT_2")
            if self.quirks.refin:
                self.timers["refin"] = now + self.rto
        elif self.state == "CLOSING":
            self.linger(now)
        else:
            self.enter("CLOSED")

    def linger(self, now):
        self.enter("TIME_WAIT")
        self.timers["end"] = now + self.quirks.time_wait

    def input_data(self, segment, now):
        ahead = self.diff(segment.seq, self.rcv)
        if self.has_fin or ahead > self.window() or \
                ahead + len(segment.data) + bool(segment.flags & FIN) <= 0:
            self.send_ack()
            return
        if self.state == "FIN_WAIT_2" and self.quirks.fin_for_data and not self.answered:
            self.answered = True
            self.send(self.nxt - 1, FIN, ack=0)
            return
        if len(segment.data) >= len(self.waiting.get(segment.seq, b"")):
            self.waiting[segment.seq] = segment.data
        if segment.flags & FIN:
            self.fin_at = (segment.seq + len(segment.data)) & MASK
        self.take_waiting(now)
        if self.fin_at == self.rcv and self.window():
            self.input_fin(now)
        self.send_ack()

    def take_waiting(self, now):
        """Moves what is in order, as far as there is room, to where the application finds it."""
        for seq in sorted(self.waiting, key=lambda seq: self.diff(seq, self.rcv)):
            data, skip = self.waiting[seq], self.diff(self.rcv, seq)
            if skip < 0:
                break
            fresh = data[skip:skip + self.window()]
            self.unread += fresh
            self.rcv = (self.rcv + len(fresh)) & MASK
            del self.waiting[seq]
        if self.unread and self.timers["read"] == NEVER:
            self.timers["read"] = now + self.quirks.read_delay

    def input_fin(self, now):
        self.has_fin, self.rcv = True, (self.rcv + 1) & MASK
        self.timers["read"] = min(self.timers["read"], now + self.quirks.read_delay)
        if self.state == "ESTABLISHED":
            self.enter("CLOSE_WAIT")
        elif self.state == "FIN_WAIT_1":
            self.enter("CLOSING")
        elif self.state == "FIN_WAIT_2":
            self.linger(now)
