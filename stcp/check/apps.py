# SPDX-License-Identifier: MIT
"""What is tested, seen from its application: a process with a transport in it.

Driver runs our driver.c. Client and Server run programs that speak the file protocol of the course:
what the application is to write or read has to be put into requests and answers there, so rules ask
for it in words that all three understand (case.py)."""

import os
import pty
import re
import signal
import socket
import struct
import subprocess
import tempfile
import termios

OUTPUT_MAX = 1 << 20
GONE_S = 1.0  # from the end of a process's descriptors to its own


class App:
    """A process whose output is kept. Subclasses say what its events are."""

    def __init__(self):
        self.process = None
        self.output = {"stdout": b"", "stderr": b""}
        self.pipes = {}
        self.directory = tempfile.TemporaryDirectory(prefix="stcp-check-")

    def run(self, command, stdout=subprocess.PIPE, **more):
        self.process = subprocess.Popen(command, cwd=self.directory.name, stdout=stdout,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        **more)
        self.pipes = {self.process.stderr.fileno(): "stderr"}
        if self.process.stdout:
            self.pipes[self.process.stdout.fileno()] = "stdout"

    def descriptors(self):
        return list(self.pipes)

    def on_ready(self, descriptor):
        try:
            more = os.read(descriptor, 65536)
        except OSError:
            more = b""  # a terminal that nobody holds any more
        name = self.pipes[descriptor]
        if not more:
            del self.pipes[descriptor]
        elif len(self.output[name]) < OUTPUT_MAX:
            self.output[name] += more

    def is_connected(self):
        """Whether the application knows that the connection stands."""
        raise NotImplementedError

    def is_dead(self):
        return self.process is not None and self.process.poll() is not None

    def death(self):
        """How it ended, with the last thing it said."""
        code = self.process.returncode
        text = f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        said = self.output["stderr"].decode("utf-8", "replace").strip().splitlines()
        return text + (f": {said[-1]}" if said else "")

    def stop(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)  # and what it may have forked
            except OSError:
                pass  # there is nothing left
            self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()
        self.directory.cleanup()


class Driver(App):
    """Events: connected (None, or an errno), data, has_end, error, closed, written."""

    def __init__(self, program):
        super().__init__()
        self.control, theirs = socket.socketpair()
        self.run([program, str(theirs.fileno())], stdin=subprocess.DEVNULL,
                 pass_fds=[theirs.fileno()])
        theirs.close()
        self.buffer = b""
        self.port = self.connected = self.error = self.closed = None
        self.data = bytearray()
        self.has_end = False
        self.written = 0

    def descriptors(self):
        return super().descriptors() + ([self.control.fileno()] if self.control else [])

    def tell(self, letter, data=b""):
        try:
            self.control.sendall(letter + struct.pack("!I", len(data)) + data)
        except OSError:
            pass  # it is dead; the next wait says so

    def on_ready(self, descriptor):
        if not self.control or descriptor != self.control.fileno():
            super().on_ready(descriptor)
            return
        try:
            more = self.control.recv(262144)
        except OSError:
            more = b""
        if not more:
            try:
                self.process.wait(GONE_S)
            except subprocess.TimeoutExpired:
                pass  # it has closed what was not its own, and lives
            self.control.close()
            self.control = None
            return
        self.buffer += more
        while len(self.buffer) >= 5:
            size = struct.unpack_from("!I", self.buffer, 1)[0]
            if len(self.buffer) < 5 + size:
                break
            self.take(self.buffer[:1], self.buffer[5:5 + size])
            self.buffer = self.buffer[5 + size:]

    def take(self, letter, text):
        if letter == b"d":
            self.data += text
        elif letter == b"e":
            self.has_end = True
        elif letter == b"w":
            self.written += max(int(text), 0)
        elif letter == b"l":
            self.port = int(text)
        elif letter in b"ca":
            self.connected = int(text)
        elif letter == b"r":
            self.error = int(text)
        elif letter == b"x":
            self.closed = int(text)

    def stop_control(self):
        """Lets it end by itself."""
        self.control.shutdown(socket.SHUT_WR)

    def stop(self):
        if self.control:
            self.control.close()
        super().stop()

    # ---- What rules ask for.

    def listen(self, case):
        self.tell(b"l")
        case.until(lambda: self.port is not None, "the application listens")
        self.tell(b"a")

    def forget(self):
        """The next connection is another one."""
        self.port = self.connected = None

    def connect(self, port):
        self.tell(b"c", str(port).encode())

    def is_connected(self):
        return self.connected == 0

    def wait_connected(self, case):
        case.until(lambda: self.connected is not None,
                   "the application is told that the connection stands")
        case.require(self.connected == 0,
                     f"the application is told error {self.connected} in place of success")

    def make_write(self, _case, data):
        self.tell(b"w", data)
        return data

    def check_delivered(self, case):
        want = bytes(case.peer.sent)
        case.until(lambda: len(self.data) >= len(want), f"the application gets {len(want)} bytes",
                   detail=lambda: f"it has {len(self.data)}")
        case.require(self.data == want, differ(self.data, want))

    def close(self, _case):
        self.tell(b"x")

    def wait_end(self, case):
        case.until(lambda: self.has_end, "the application reads the end of the stream")

    def is_closed(self, _case):
        return self.closed is not None

    def wait_closed(self, case):
        case.until(lambda: self.is_closed(case), "myclose returns")


def differ(got, want):
    if len(got) > len(want) and got[:len(want)] == want:
        return f"the application gets {len(got) - len(want)} bytes more than it should"
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    return f"the application gets wrong bytes, first at {at} of {len(want)}"


def unfinished(case):
    """What we have sent since the last end of a line; the next one begins with it."""
    return bytes(case.peer.sent).rpartition(b"\r\n")[2].decode()


def body_size(name, total):
    """How large a file must be for the whole answer to have `total` bytes; None: no size does."""
    for size in range(total, -1, -1):
        length = len(f"{name},{size},Ok\r\n") + size
        if length <= total:
            return size if length == total else None
    raise ValueError(f"an answer about {name} has more than {total} bytes")


class Server(App):
    """A `server`: it writes what requests ask for, and tells on stderr what it reads."""

    def __init__(self, program):
        super().__init__()
        self.run([program], stdin=subprocess.DEVNULL)
        self.port = None
        self.files = 0

    def listen(self, case):
        pattern = re.compile(rb"Server's address is \S*:(\d+)\s")
        case.until(lambda: pattern.search(self.output["stderr"]), "the server says its address")
        self.port = int(pattern.search(self.output["stderr"])[1])

    def is_connected(self):
        return b"connected to" in self.output["stderr"]

    def wait_connected(self, case):
        case.until(self.is_connected, "the server says `connected to`")

    def make_write(self, case, data):
        self.files += 1
        line = unfinished(case)
        rest = f"f{self.files}"
        while (size := body_size(line + rest, len(data))) is None:
            rest += "_"
        name = line + rest
        with open(os.path.join(self.directory.name, name), "wb") as file:
            file.write(data[:size])
        case.peer.send_data(f"{rest}\r\n".encode())
        return f"{name},{size},Ok\r\n".encode() + data[:size]

    def check_delivered(self, case):
        line = unfinished(case)
        case.peer.send_data(b"\r\n")
        case.until(lambda: f"client: {line}\n".encode() in self.output["stderr"],
                   f"the server says that it has read the {len(line)} bytes")

    def close(self, case):
        case.peer.send_data(b"\r\n")

    def wait_end(self, case):
        case.until(lambda: case.peer.has_fin, "the server sees the end, and closes")

    def is_closed(self, case):
        """It goes on serving; what can be seen is that its kernel connection ends."""
        return case.peer.is_closed

    def wait_closed(self, case):
        case.until(lambda: self.is_closed(case), "the server closes the kernel's connection")


class Client(App):
    """A `client` at its prompt: it writes a request, and shows the first line of the answer. It has
    a terminal, since in a pipe its prompt might be held back."""

    def __init__(self, program):
        super().__init__()
        self.program = program
        self.is_waiting = False  # for the rest of the answer to a request
        self.terminal, self.inside = pty.openpty()
        mode = termios.tcgetattr(self.inside)
        mode[1] &= ~termios.OPOST
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(self.inside, termios.TCSANOW, mode)

    def connect(self, port):
        self.run([self.program, f"127.0.0.1:{port}"], stdin=self.inside, stdout=self.inside)
        self.pipes[self.terminal] = "stdout"

    def stop(self):
        super().stop()
        os.close(self.terminal)
        os.close(self.inside)

    def is_dead(self):
        return super().is_dead() and self.process.returncode not in (0, 1)

    def is_connected(self):
        return b"client>" in self.output["stdout"]

    def wait_connected(self, case):
        case.until(self.is_connected, "the client shows its prompt")

    def make_write(self, case, data):
        if self.is_waiting:
            case.peer.send_data(b",-1,no\r\n")
        self.is_waiting = True
        line = bytes(97 + byte % 26 for byte in data[:-2])
        os.write(self.terminal, line + b"\n")
        return line + b"\r\n"

    def check_delivered(self, case):
        line = unfinished(case)
        if not self.is_waiting:
            self.make_write(case, b"name\r\n")
        self.is_waiting = False
        case.peer.send_data(b",-1,no\r\n")
        case.until(lambda: f"server: {line},-1,no".encode() in self.output["stdout"],
                   f"the client shows the {len(line)} bytes that it has read")

    def close(self, _case):
        os.write(self.terminal, b"\x04")  # the end of input

    def wait_end(self, _case):
        """It sits at its prompt and cannot see the end."""

    def is_closed(self, _case):
        return super().is_dead()

    def wait_closed(self, case):
        case.until(lambda: self.is_closed(case), "the client ends")
