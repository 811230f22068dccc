# SPDX-License-Identifier: MIT
"""Networks of real vhost and vrouter processes, for the demo and the tests.

A Node is one process behind pipes. A thread collects its lines as they come; expect() waits for a
line that matches, from where the last expect() stopped, so nothing sleeps and nothing is missed. A
Network makes the lnx files of a description on UDP ports that are free, starts all nodes and takes
them down again: use it with `with`, and it does so on every way out.
"""

import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("WEIR_BIN", ROOT / "build" / "bin"))
SLOW = float(os.environ.get("WEIR_SLOW", "1"))  # factor on all time limits, for sanitizer builds


class Timeout(AssertionError):
    """A line that did not come."""


def free_ports(count):
    """The first of `count` consecutive UDP ports that are free at the moment."""
    for _ in range(200):
        base = random.randrange(20000, 60000 - count)
        sockets = []
        try:
            for port in range(base, base + count):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sockets.append(sock)
                sock.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
    raise RuntimeError("no free UDP ports")


class Process:
    """One process and all it has said, on both of its outputs."""

    def __init__(self, name, command, cwd=None):
        self.name = name
        self.lines, self.cursor = [], 0
        self.ended = False
        self.changed = threading.Condition()
        self.process = subprocess.Popen([str(word) for word in command], cwd=cwd,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def say(self, *lines):
        """Types lines at the prompt."""
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def expect(self, pattern, timeout=10):
        """Waits for a line that the pattern matches from its beginning. Returns the match."""
        deadline = time.monotonic() + timeout * SLOW
        compiled = re.compile(pattern)
        with self.changed:
            while True:
                while self.cursor < len(self.lines):
                    match = compiled.match(self.lines[self.cursor])
                    self.cursor += 1
                    if match:
                        return match
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    tail = "\n    ".join(self.lines[-25:])
                    raise Timeout(f"{self.name}: no line like {pattern!r}; it said:\n    {tail}")
                self.changed.wait(left)

    def wait(self, timeout=10):
        """The exit status."""
        status = self.process.wait(timeout * SLOW)
        self.reader.join(timeout * SLOW)
        return status

    def kill(self):
        """At once, without a word to its peers."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        if self.process.stdin and not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except OSError:
                pass


class Node(Process):
    """A vhost or vrouter: what is typed at its prompt is answered."""

    def __init__(self, name, kind, lnx, flags=()):
        program = BIN / ("vhost" if kind == "host" else "vrouter")
        super().__init__(name, [program, "--config", lnx, *flags])
        self.kind = kind

    def ask(self, command, timeout=10):
        """The lines that a command answers at once (not those of other events, if none come)."""
        self.sync(timeout)
        start = self.cursor
        self.say(command)
        end = self.sync(timeout)
        return self.lines[start:end]

    def sync(self, timeout=10):
        """Waits until all that was typed before has been run. Returns where its answer ends."""
        word = f"sync-{random.randrange(1 << 60):x}"
        self.say(f"up {word}")
        self.expect(f'error: "{word}": no such interface$', timeout)
        return self.cursor - 1


class Network:
    """All nodes of nets/NAME.json."""

    def __init__(self, name, flags=(), router_flags=(), nets_options=(), skip=(), good=()):
        """`flags` go to the hosts; nodes in `skip` are not started; those in `good` send
        unimpaired, whatever nets_options say."""
        self.name, self.good = name, good
        self.flags, self.router_flags = tuple(flags), tuple(router_flags)
        self.nets_options, self.skip = [str(option) for option in nets_options], set(skip)
        self.nodes, self.lnx = {}, {}
        self.directory = None

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __getitem__(self, name):
        return self.nodes[name]

    def _start(self):
        self.base_port = free_ports(32)
        subprocess.run([str(BIN / "weir"), "lab", "generate", str(ROOT / "nets" / f"{self.name}.json"),
                        str(self.directory), "--base-port", str(self.base_port),
                        *self.nets_options], check=True)
        for path in sorted(self.directory.glob("*.lnx")):
            self.lnx[path.stem] = path
            if path.stem in self.good:
                path.write_text(re.sub(r"^# weir: impair.*\n", "", path.read_text(), flags=re.M))
            if path.stem not in self.skip:
                self.start_node(path.stem)
        for node in self.nodes.values():
            node.sync()  # its sockets are bound

    def start_node(self, name):
        kind = "host" if name.startswith("h") else "router"
        flags = self.flags if kind == "host" else self.router_flags
        self.nodes[name] = Node(name, kind, self.lnx[name], flags)
        return self.nodes[name]

    def address(self, name, iface="if0"):
        text = self.lnx[name].read_text()
        return re.search(rf"^interface {iface} ([\d.]+)/", text, re.M).group(1)

    def hosts(self):
        return [name for name in self.lnx if name.startswith("h")]

    def wait_for_path(self, source, target, timeout=20):
        """Sends test packets until one arrives: the routers have found the way."""
        deadline = time.monotonic() + timeout * SLOW
        count = 0
        while True:
            count += 1
            self[source].say(f"send {self.address(target)} path-{count}")
            try:
                self[target].expect(rf"Received test packet: .* path-{count}$", 0.1 / SLOW)
                return
            except Timeout:
                if time.monotonic() > deadline or self[target].ended or self[source].ended:
                    raise


def die_on_sigterm():
    """Lets SIGTERM and SIGHUP unwind like Ctrl-C, so that `with` cleans up."""
    def stop(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
