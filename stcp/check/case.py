# SPDX-License-Identifier: MIT
"""One connection of a test: the tested process on one side, the raw peer on the other.

Everything waits for events with a deadline, never for time to pass by itself (but for `quiet`,
where the rule is that nothing happens)."""

import select
import socket
import time

from .apps import Client, Driver, Server
from .peer import Broken, Peer
from .wire import ACK, LOOPBACK, SYN

WAIT_S = 2.0   # for anything that should happen at once
CASE_S = 20.0  # for a whole case

APPS = {"driver": Driver, "client": Client, "server": Server}


def pattern(count, start=0):
    """Letters that say where they stand; no line ends among them."""
    period = bytes(48 + (i * i // 7 + i) % 75 for i in range(1009))
    return (period * ((start + count) // 1009 + 1))[start:start + count]


class Case:
    """`role` is what the tested side is: active or passive."""

    def __init__(self, setting, role, isn=200):
        self.setting = setting
        self.role = role
        self.isn = isn
        self.mss, self.window = setting.mss, setting.window
        self.is_lossy = setting.edition == "loss"
        self.app = APPS[setting.kind](setting.program)
        self.listener = self.peer = None
        self.end = time.monotonic() + CASE_S * setting.patience  # None: for this rule there is none
        self.expected = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        if isinstance(error, Broken) and self.peer and not hasattr(error, "trace"):
            error.trace = self.peer.show()
        self.app.stop()
        if self.peer:
            self.peer.connection.close()
        if self.listener:
            self.listener.close()

    # ---- Waiting.

    def poll(self, seconds):
        poller = select.poll()
        for descriptor in self.app.descriptors():
            poller.register(descriptor, select.POLLIN)
        wire = self.peer.connection.fileno() if self.peer and not self.peer.is_closed else -1
        if wire >= 0:
            poller.register(wire, select.POLLIN)
        waiting = self.listener.fileno() if self.listener and not self.peer else -1
        if waiting >= 0:
            poller.register(waiting, select.POLLIN)
        for descriptor, _event in poller.poll(max(seconds, 0) * 1000 + 1):
            if descriptor == wire:
                self.peer.on_ready()
            elif descriptor == waiting:
                self.peer = Peer(self.listener.accept()[0], self.window, self.mss, self.isn)
            else:
                self.app.on_ready(descriptor)

    def until(self, condition, what, seconds=WAIT_S, detail=None):
        """Waits until `condition` holds; else the rule is broken: `what` has not happened."""
        seconds *= self.setting.patience
        end = time.monotonic() + seconds
        if self.end is not None:
            end = min(end, self.end)
        while not condition():
            left = end - time.monotonic()
            if self.app.is_dead() and not self.drain(condition):
                raise Broken(f"the program died ({self.app.death()}), waited for: {what}")
            if left <= 0:
                raise Broken(f"not in time: {what}"
                             + (f" ({detail()})" if detail else ""))
            self.poll(left)

    def drain(self, condition):
        """Takes what a dead process has left; answers whether `condition` holds then."""
        for _ in range(100):
            if condition():
                return True
            self.poll(0)
        return condition()

    def quiet(self, seconds, condition=lambda: False):
        """Goes on for a time, or until something happens; answers whether it did."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.poll(end - time.monotonic())
        return condition()

    def require(self, condition, text):
        if not condition:
            raise Broken(text)

    # ---- The handshake.

    def start(self, flags=SYN, **fields):
        """Up to the first SYN: passive: ours is sent; active: theirs is here."""
        if self.role == "passive":
            self.app.listen(self)
            connection = socket.create_connection((LOOPBACK, self.app.port))
            self.peer = Peer(connection, self.window, self.mss, self.isn)
            if "win" in fields:
                self.peer.win = fields.pop("win")
            self.peer.send(flags, **fields)
            self.peer.snd += 1
        else:
            self.start_active()

    def start_active(self):
        if not self.listener:
            self.listener = socket.create_server((LOOPBACK, 0))
        self.app.connect(self.listener.getsockname()[1])
        self.until(lambda: self.peer, "the transport sends its SYN, and so connects")
        self.until(lambda: self.peer.segments, "the transport sends a SYN")

    def open(self, win=None, options=b""):
        """The whole handshake, in an ordinary way."""
        win = self.window if win is None else win
        self.start(win=win, options=options) if self.role == "passive" else self.start()
        peer = self.peer
        peer.win = win
        if self.role == "passive":
            self.until(lambda: peer.first(SYN | ACK) and peer.last_ack == peer.snd,
                       f"SYN|ACK with ack {peer.snd}")
            peer.ack_all()
        else:
            self.until(lambda: peer.rcv is not None, "the transport sends a SYN")
            peer.send(SYN | ACK, options=options)
            peer.snd += 1
            self.until(lambda: peer.last_ack == peer.snd, f"an ACK of our SYN, ack {peer.snd}")
        self.app.wait_connected(self)
        return peer

    # ---- Data.

    def write(self, count):
        """Makes the application write; what the peer must see grows by that."""
        self.expected += self.app.make_write(self, pattern(count, len(self.expected)))

    def wait_data(self, count, what=None, seconds=WAIT_S):
        """Waits until `count` bytes in all have come, and looks at them."""
        peer = self.peer
        self.until(lambda: peer.gap or len(peer.data) >= count,
                   what or f"{count} bytes of the application's are sent", seconds,
                   lambda: f"{len(peer.data)} have come")
        if peer.gap:
            raise Broken(f"number {peer.gap[0]} was next, but {peer.gap[1]} came")
        self.require(peer.data[:count] == self.expected[:count], "other bytes are sent than those "
                     "that the application has written")

    def send_and_ack(self, data, **fields):
        """New bytes in order, and the ACK for them."""
        self.peer.send_data(data, **fields)
        self.wait_ack()

    def wait_ack(self, what="an ACK of all that we sent"):
        peer = self.peer
        self.until(lambda: peer.last_ack == peer.snd, f"{what}, ack {peer.snd}",
                   detail=lambda: f"the last one was {peer.last_ack}")

    def fence(self, count=2):
        """What came of all that was done before is here when the ACKs of `count` new bytes are."""
        for _ in range(count):
            self.send_and_ack(b"|")

    def check_delivered(self):
        self.app.check_delivered(self)
