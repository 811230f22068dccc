# SPDX-License-Identifier: MIT
"""weir extcap: what Wireshark asks it, and live captures of the nodes of a lab.

Wireshark does not look for external programs where it is told to if it is run by root; then everything
here is run by nobody."""

import contextlib
import os
import pathlib
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import nodes
import pytest
from captures import Frame, FIELDS, needs_tshark

WHO = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = nodes.BIN.resolve() / "weir"


class Lab:
    """One lab, and the folders that belong to its user."""

    def __init__(self, base):
        self.base = base
        self.name = f"x{random.randrange(1 << 30)}"
        extcap = base / "extcap"
        extcap.mkdir()
        (extcap / "weir-extcap").symlink_to(ROOT / "share/wireshark/weir-extcap")
        for name in ("run", "home"):
            (base / name).mkdir(mode=0o700)
            if WHO:
                shutil.chown(base / name, WHO["user"], WHO["group"])
        self.environment = {**os.environ, "HOME": str(base / "home"), "WEIR": str(WEIR),
                            "XDG_RUNTIME_DIR": str(base / "run"),
                            "WIRESHARK_EXTCAP_DIR": str(extcap)}

    def run(self, *words, **more):
        return subprocess.run([str(word) for word in words], env=self.environment,
                              capture_output=True, text=True, timeout=60, check=False, cwd="/",
                              **WHO, **more)

    def start(self, *words):
        return subprocess.Popen([str(word) for word in words], env=self.environment, cwd="/",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **WHO)

    def up(self):
        net = self.base / "home" / f"{self.name}.json"
        shutil.copy(ROOT / "nets" / "linear-r1h2.json", net)
        outcome = self.run(WEIR, "lab", "up", "--detach", "--base-port", nodes.free_ports(16), net)
        assert outcome.returncode == 0, outcome.stderr

    def down(self):
        self.run(WEIR, "lab", "down")

    def ask(self, node, command):
        return self.run(WEIR, "lab", "exec", node, command).stdout.splitlines()

    def extcap(self, *words):
        return self.run(WEIR, "extcap", *words)

    def interface(self, node):
        return f"weir-{self.name}-{node}"

    def wait_until(self, node, command, pattern):
        deadline = time.monotonic() + 20 * nodes.SLOW
        while not re.match(pattern, "\n".join(self.ask(node, command))):
            assert time.monotonic() < deadline, (command, pattern)


@pytest.fixture(name="bare", scope="module")
def fixture_bare():
    base = pathlib.Path(tempfile.mkdtemp(prefix="weir-extcap-"))
    base.chmod(0o755)
    try:
        lab = Lab(base)
        if lab.run(WEIR, "--help").returncode != 0:
            pytest.skip("nobody may not run what was built")
        yield lab
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(name="lab")
def fixture_lab(bare):
    bare.up()
    try:
        yield bare
    finally:
        bare.down()


@contextlib.contextmanager
def capturing(lab, node, fifo_reader):
    """`weir extcap --capture`, as Wireshark runs it, into a FIFO that nobody has opened yet."""
    fifo = lab.base / "home" / f"fifo{random.randrange(1 << 30)}"
    os.mkfifo(fifo)
    if WHO:
        shutil.chown(fifo, WHO["user"], WHO["group"])
    process = lab.start(WEIR, "extcap", "--capture", "--extcap-interface", lab.interface(node),
                        "--fifo", fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) if fifo_reader else -1
    try:
        lab.wait_until(node, "capture", "Captured ")
        yield process, reader, fifo
    finally:
        process.kill()
        process.communicate()
        with contextlib.suppress(OSError):
            os.close(reader)


def test_without_labs(bare):
    outcome = bare.extcap("--extcap-interfaces", "--extcap-version=4.0")
    assert outcome.returncode == 0
    assert outcome.stdout == "extcap {version=0.1.0}{display=weir}\n"
    outcome = bare.extcap("--capture", "--extcap-interface", "weir-a-b", "--fifo", "/nowhere")
    assert outcome.returncode == 1 and "no such node runs" in outcome.stderr
    assert bare.extcap("--capture").returncode == 2
    assert bare.extcap().returncode == 2
    assert bare.extcap("--help").stdout.startswith("usage: weir extcap ")


def test_questions(lab):
    lines = lab.extcap("--extcap-interfaces").stdout.splitlines()[1:]
    assert sorted(lines) == sorted(
        f"interface {{value={lab.interface(node)}}}{{display=weir: {node} of {lab.name}}}"
        for node in ("h1", "r1", "h2"))
    for form in (["--extcap-interface", lab.interface("h1")],
                 [f"--extcap-interface={lab.interface('h1')}"]):
        outcome = lab.extcap("--extcap-dlts", *form)
        assert outcome.stdout == "dlt {number=101}{name=RAW}{display=Raw IP}\n"
        outcome = lab.extcap("--extcap-config", *form)
        assert (outcome.returncode, outcome.stdout) == (0, "")
        assert lab.extcap("--capture", *form).returncode == 2
        outcome = lab.extcap("--capture", *form, "--fifo", "/a", "--extcap-capture-filter", "tcp")
        assert outcome.returncode == 1 and "not supported" in outcome.stderr
        assert "not supported" in lab.extcap("--extcap-capture-filter=tcp", *form).stdout
    outcome = lab.extcap("--capture", "--extcap-interface", lab.interface("h1"), "--fifo", "/a b")
    assert outcome.returncode == 1 and "blanks" in outcome.stderr


def test_two_labs_of_one_name(lab):
    """The second has a name of its own, by which its nodes are captured."""
    net, place = lab.base / "home" / f"{lab.name}.json", lab.base / "home" / "second"
    outcome = lab.run(WEIR, "lab", "up", "--detach", "--dir", place, net)
    assert outcome.returncode == 0, outcome.stderr
    fifo = lab.base / "home" / "fifo-second"
    os.mkfifo(fifo)
    if WHO:
        shutil.chown(fifo, WHO["user"], WHO["group"])
    second = f"weir-{lab.name}-2-h1"
    process = None
    try:
        lines = lab.extcap("--extcap-interfaces").stdout.splitlines()[1:]
        assert len(set(lines)) == 6
        assert f"interface {{value={second}}}{{display=weir: h1 of {lab.name}-2}}" in lines
        process = lab.start(WEIR, "extcap", "--capture", "--extcap-interface", second, "--fifo", fifo)
        deadline = time.monotonic() + 20 * nodes.SLOW
        while not lab.run(WEIR, "lab", "exec", "--dir", place, "h1", "capture").stdout.startswith(
                "Captured "):
            assert time.monotonic() < deadline
        first = lab.run(WEIR, "lab", "exec", "--dir", lab.base / "run" / "weir" / lab.name, "h1",
                        "capture")
        assert first.stdout == "No capture\n"
    finally:
        if process:
            process.kill()
            process.communicate()
        lab.run(WEIR, "lab", "down", "--dir", place)


def test_dead_nodes_are_no_interfaces(lab):
    lab.ask("h2", "exit")
    lab.wait_until("h1", "up none", "error")
    deadline = time.monotonic() + 20 * nodes.SLOW
    while lab.interface("h2") in lab.extcap("--extcap-interfaces").stdout:
        assert time.monotonic() < deadline
    assert lab.interface("h1") in lab.extcap("--extcap-interfaces").stdout


def test_a_signal_ends_it(lab):
    with capturing(lab, "h1", True) as (process, reader, fifo):
        lab.ask("h1", "ping 10.1.0.2 1")
        content = b""
        while b"sent: echo (" not in content:
            assert select.select([reader], [], [], 20 * nodes.SLOW)[0]
            content += os.read(reader, 65536)
        assert lab.ask("h1", f"capture on {fifo}") == \
            [f"error: capture: {fifo} is being written"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * nodes.SLOW) == 0
        assert lab.ask("h1", "capture") == ["No capture"]


@pytest.mark.parametrize("has_reader", [True, False])
def test_before_anybody_reads(lab, has_reader):
    with capturing(lab, "r1", has_reader) as (process, _, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(20 * nodes.SLOW) == 0
        assert lab.ask("r1", "capture") == ["No capture"]


def test_a_reader_that_goes_ends_it(lab):
    """Though no packet comes that the node could not write."""
    with capturing(lab, "h1", True) as (process, reader, _):
        assert select.select([reader], [], [], 0)[0] == []
        lab.ask("h1", "ping 10.1.0.2 1")
        assert select.select([reader], [], [], 20 * nodes.SLOW)[0]
        os.close(reader)
        assert process.wait(20 * nodes.SLOW) == 0
        assert lab.ask("h1", "capture") == ["No capture"]


@pytest.mark.parametrize("command", ["exit", "capture off"])
def test_the_node_ends_it(lab, command):
    with capturing(lab, "h1", True) as (process, _, _):
        lab.ask("h1", command)
        assert process.wait(20 * nodes.SLOW) == 0


def test_one_capture_at_a_time(lab):
    lab.ask("h1", f"capture on {lab.base}/home/other.pcapng")
    with capturing(lab, "h1", True) as (process, _, _):
        assert process.wait(20 * nodes.SLOW) == 1
        assert "is being written" in process.stderr.read()
    assert lab.ask("h1", "capture")[0].startswith("Captured ")


@needs_tshark
def test_tshark(lab):
    listed = lab.run("tshark", "-D").stdout
    for node in ("h1", "r1", "h2"):
        assert f"{lab.interface(node)} (weir: {node} of {lab.name})" in listed
    fields = [word for field in FIELDS for word in ("-e", field)]
    process = lab.start("tshark", "-n", "-l", "-i", lab.interface("r1"), "-c", "8", "-T", "fields",
                        "-E", "aggregator=|", *fields)
    try:
        lab.wait_until("r1", "capture", "Captured ")
        while process.poll() is None:  # until tshark has its eight
            lab.ask("h1", "ping 10.1.0.2 2")
        output, errors = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0, errors
    found = [Frame(line) for line in output.splitlines()]
    assert len(found) == 8
    assert {frame.why for frame in found if frame.is_sent} == {"forward"}
    assert {frame.interface for frame in found} == {"if0", "if1"}
    lab.wait_until("r1", "capture", "No capture")
