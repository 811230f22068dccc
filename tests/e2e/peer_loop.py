# SPDX-License-Identifier: MIT
"""What the stand-ins for other implementations run on.

A Loop is one thread that waits in select for datagrams and for the earliest deadline; it owns
endpoints: Host (peers.py) and Router (peer_router.py). Tests call into them under the loop's lock
(Loop.call) and wait for what becomes true (Loop.wait). Nothing sleeps."""

import select
import socket
import struct
import threading
import time

import nodes

SO_TIMESTAMPNS = 35  # the kernel says when a datagram came, however late it is read
NEVER = float("inf")


class Loop:
    """The thread that runs endpoints: each has sockets, readable(socket), expire(now) and
    deadline()."""

    def __init__(self, *endpoints):
        self.endpoints = list(endpoints)
        self.changed = threading.Condition()
        self.bell, self.button = socket.socketpair()
        self.failure, self.ended = None, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        for endpoint in self.endpoints:
            endpoint.start(time.monotonic())
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.button.send(b"!")
        self.thread.join()
        for endpoint in self.endpoints:
            endpoint.close()
        self.bell.close()
        self.button.close()

    def call(self, function, *arguments, **named):
        with self.changed:
            result = function(*arguments, **named)
        self.button.send(b"!")
        return result

    def wait(self, predicate, what, timeout=10):
        with self.changed:
            done = self.changed.wait_for(lambda: self.failure or predicate(),
                                         timeout * nodes.SLOW)
            if self.failure:
                raise self.failure
            if not done:
                raise nodes.Timeout(f"{what}; {self.endpoints}")

    def _run(self):
        try:
            while not self.ended:
                self._turn()
        except Exception as failure:  # the test's thread shall tell of it
            with self.changed:
                self.failure = failure
                self.changed.notify_all()

    def _turn(self):
        owners = {sock: endpoint for endpoint in self.endpoints for sock in endpoint.sockets}
        with self.changed:
            due = min((endpoint.deadline() for endpoint in self.endpoints), default=NEVER)
        left = None if due == NEVER else max(0, due - time.monotonic())
        ready, _, _ = select.select([self.bell, *owners], [], [], left)
        with self.changed:
            for sock in ready:
                if sock is self.bell:
                    self.bell.recv(100)
                else:
                    owners[sock].readable(sock)
            for endpoint in self.endpoints:
                endpoint.expire(time.monotonic())
            self.changed.notify_all()


def udp_socket(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def datagrams(sock):
    """All that wait: (when it came, UDP source, bytes)."""
    batch = []
    while True:
        try:
            data, notes, _, source = sock.recvmsg(65536, 64)
        except BlockingIOError:
            return batch
        seconds, nanoseconds = struct.unpack("qq", notes[0][2][:16])
        batch.append((seconds + nanoseconds / 1e9, source, data))
