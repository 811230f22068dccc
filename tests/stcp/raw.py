# SPDX-License-Identifier: MIT
"""A peer made by hand: STCP segments in frames over a kernel TCP connection."""

import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", pathlib.Path(__file__).parents[2] / "build"))
SLOW = float(os.environ.get("WEIR_SLOW", "1"))
LIMIT_S = 20 * SLOW
FIN, SYN, ACK = 1, 2, 16
OWN_ADDRESS = socket.gethostbyname(socket.gethostname())


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo(source, target, length):
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 6, length)


def segment(flags, seq, ack=0, data=b"", win=3072, ports=(1, 2), sum_=None,
            addresses=(OWN_ADDRESS, "127.0.0.1")):
    def pack(value):
        return struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, win, value, 0) + data
    if sum_ is None:
        raw = pack(0)
        sum_ = checksum(pseudo(*addresses, len(raw)) + raw)
    return pack(sum_)


def frame(data, length=None):
    return struct.pack("!H", len(data) if length is None else length) + data


class Peer:
    """One connection; the active side, unless made of an accepted socket."""

    def __init__(self, port=None, connection=None, **settings):
        self.connection = connection or socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.connection.settimeout(LIMIT_S)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.settings = settings
        self.buffer = b""
        self.seq, self.ack = 100, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def put(self, data):
        self.connection.sendall(data)

    def make(self, flags, data=b"", **more):
        return frame(segment(flags, self.seq, self.ack, data, **{**self.settings, **more}))

    def send(self, flags, data=b"", **more):
        self.put(self.make(flags, data, **more))
        self.seq += len(data) + bool(flags & (SYN | FIN))

    def receive(self):
        """The next segment, raw; None at the end."""
        while len(self.buffer) < 2 or len(self.buffer) < 2 + int.from_bytes(self.buffer[:2], "big"):
            got = self.connection.recv(65536)
            if not got:
                assert not self.buffer
                return None
            self.buffer += got
        length = int.from_bytes(self.buffer[:2], "big")
        raw, self.buffer = self.buffer[2:2 + length], self.buffer[2 + length:]
        return raw

    def take(self):
        """The next segment's flags and payload; acknowledged numbers are kept."""
        raw = self.receive()
        if raw is None:
            return None, b""
        seq, _, offset, flags = struct.unpack("!4xIIBB", raw[:14])
        data = raw[(offset >> 4) * 4:]
        if flags & SYN:
            self.ack = seq + 1
        elif seq == self.ack:
            self.ack += len(data) + (flags & FIN)
        else:
            return flags & ~FIN, b""  # one that came before
        return flags, data

    def open(self):
        self.send(SYN)
        flags, _ = self.take()
        assert flags == SYN | ACK
        self.send(ACK)
        return self

    def accept(self):
        flags, _ = self.take()
        assert flags == SYN
        self.send(SYN | ACK)
        while flags & SYN:
            flags, data = self.take()
        return data

    def read(self, length=None, until=None):
        """Bytes of the application's, each segment acknowledged; None as length: to the FIN."""
        data, flags = b"", 0
        while not (flags & FIN or (length is not None and len(data) >= length) or
                   (until and data.endswith(until))):
            flags, more = self.take()
            assert flags is not None, f"the connection has ended after {data!r}"
            data += more
            if more or flags & FIN:
                self.send(ACK)
        return data

    def fetch(self, name):
        """The answer's line and the file."""
        self.send(ACK, name.encode() + b"\r\n")
        data = b""
        while b"\r\n" not in data:
            data += self.read(1)
        line, _, body = data.partition(b"\r\n")
        length = max(int(line.split(b",")[-2]), 0)
        return line.decode(), body + self.read(length - len(body)) if length > len(body) else body

    def close(self):
        """The end, ours first; the kernel's connection ends in order, too."""
        self.send(FIN | ACK)
        self.read()
        while self.receive() is not None:
            pass

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Server:
    """The program server, with what it says on stderr."""

    def __init__(self, directory, *flags, **popen):
        self.lines, self.has_end = [], False
        self.changed = threading.Condition()
        self.process = subprocess.Popen([BUILD / "stcp" / "server", *flags], cwd=directory,
                                        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        text=True, errors="replace", **popen)
        threading.Thread(target=self.collect, daemon=True).start()
        line = self.expect("Server's address is ")
        self.port = int(line.rsplit(":", 1)[1])

    def collect(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.has_end = True
            self.changed.notify_all()

    def expect(self, text, count=1):
        """Waits until `count` lines hold the text; the last one of them."""
        deadline = time.monotonic() + LIMIT_S
        with self.changed:
            while True:
                found = [line for line in self.lines if text in line]
                if len(found) >= count:
                    return found[-1]
                left = deadline - time.monotonic()
                assert left > 0 and not self.has_end, f"no {text!r} in {self.lines[-20:]}"
                self.changed.wait(left)

    def stop(self):
        """Ends it; it must have been alive."""
        status = self.process.poll()
        self.process.kill()
        self.process.wait()
        assert status is None, f"the server has ended with {status}: {self.lines[-20:]}"
