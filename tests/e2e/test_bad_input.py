# SPDX-License-Identifier: MIT
"""Bad lnx files, flags and commands: exact messages, exit statuses, and a prompt that goes on."""

import os
import signal
import socket
import subprocess

import nodes
import pytest


def run(*flags, program="vhost", text=""):
    return subprocess.run([nodes.BIN / program, *flags], input=text, text=True, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


LNX = [
    ("foo\n", ':1: "foo": unknown directive'),
    ("", ": no interface"),
    ("interface if0 10.0.0.1/24 127.0.0.1:0\n",
     ':1: "127.0.0.1:0": not a numeric IPv4 address with a port'),
    ("\n\ninterface if0 10.0.0.1/24\n",
     ':3: "interface": too few words, expected: interface NAME VIP/PREFIX UDPIP:PORT'),
    ("# weir: impair if0 loss=nan\n", ':1: "loss=nan": not a key and value that impair knows'),
    ("routing rip\0\n", ":1: NUL byte"),
    ("x" * 5000, ":1: line too long"),
]


@pytest.mark.parametrize("text,message", LNX)
@pytest.mark.parametrize("program", ["vhost", "vrouter"])
def test_bad_lnx(program, text, message, tmp_path):
    path = tmp_path / "h1.lnx"
    path.write_text(text)
    result = run("--config", path, program=program)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"{program}: {path}{message}\n"


def test_missing_lnx(tmp_path):
    result = run("--config", tmp_path / "none.lnx")
    assert result.returncode == 1
    assert result.stderr == f"vhost: {tmp_path}/none.lnx: No such file or directory\n"


def test_port_taken(tmp_path):
    path = tmp_path / "h1.lnx"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        path.write_text(f"interface if0 10.0.0.1/24 127.0.0.1:{port}\n")
        result = run("--config", path)
    assert result.returncode == 1
    assert result.stderr == f"vhost: {path}: if0: cannot bind UDP address 127.0.0.1:{port}: " \
                            "address already in use\n"


@pytest.mark.parametrize("flags,message", [
    ([], "flag is required: --config"),
    (["--config"], "flag needs a value: --config"),
    (["--bogus", "--config", "x"], "unknown flag: --bogus"),
    (["--config", "x", "-drop", "2"], 'bad value for -drop: "2"'),
    (["x.lnx"], "unexpected argument: x.lnx"),
])
def test_bad_flags(flags, message):
    result = run(*flags)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == f"vhost: {message}"
    assert result.stderr.splitlines()[1] == "Usage: vhost --config FILE [flags]"


def test_help_flag():
    result = run("--help", program="vrouter")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: vrouter --config FILE [flags]\n")


COMMANDS = [
    ("li x", ["Usage: li"]),
    ("up", ["Usage: up <interface>"]),
    ("up if0 if1", ["Usage: up <interface>"]),
    ("up if9", ['error: "if9": no such interface']),
    ("down if9", ['error: "if9": no such interface']),
    ("send", ["Usage: send <addr> <message>"]),
    ("send 10.0.0.2", ["Usage: send <addr> <message>"]),
    ("send host hello", ['error: "host": not an IPv4 address']),
    ("drop", ["Usage: drop <rate>, where rate is [0, 1]"]),
    ("drop 2", ["Drop rate must be a decimal number in the range [0,1] (eg. 0.5), 0 to disable"]),
    ("drop x", ["Drop rate must be a decimal number in the range [0,1] (eg. 0.5), 0 to disable"]),
    ("a", ["Usage: a <port>"]),
    ("a 0", ['error: "0": not a port from 1 to 65535']),
    ("a 70000", ['error: "70000": not a port from 1 to 65535']),
    ("c 10.0.0.2", ["Usage: c <addr> <port>"]),
    ("c x 80", ['error: "x": not an IPv4 address']),
    ("c 10.0.0.2 x", ['error: "x": not a port from 1 to 65535']),
    ("s 0", ["Usage: s <socket ID> <data>"]),
    ("s 5 data", ["socket not found"]),
    ("s x data", ["socket not found"]),
    ("s -1 data", ["socket not found"]),
    ("r 0", ["Usage: r <socket ID> <bytes> [y|n]"]),
    ("r 5 1", ["socket not found"]),
    ("cl", ["Usage: cl <socket ID>"]),
    ("cl 99999999999999999999", ["socket not found"]),
    ("sf", ["Usage: sf <file> <addr> <port>"]),
    ("rf", ["Usage: rf <file> <port>"]),
    ("info 3", ["socket not found"]),
    ("ping", ["Usage: ping <addr> [count]"]),
    ("ping 10.0.0.2 0", ['error: "0": not a count from 1 to 100000']),
    ("traceroute x", ['error: "x": not an IPv4 address']),
    ("", []),
    ("   ", []),
    ("ls", ["SID      LAddr LPort      RAddr RPort       Status"]),
]


def test_commands():
    with nodes.Network("linear-r1h2", skip=["h2", "r1"]) as net:
        for command, answer in COMMANDS:
            assert net["h1"].ask(command) == answer, command
        assert net["h1"].ask("a 80") == ["Created listen socket with ID 0"]
        assert net["h1"].ask("s 0 data") == ["VWrite error: Operation not permitted"]
        assert net["h1"].ask("r 0 1") == ["VRead error: Operation not permitted"]
        assert net["h1"].ask("r 0 x") == ["Usage: r <socket ID> <bytes> [y|n]"]
        assert net["h1"].ask("r 0 1 z") == ["Usage: r <socket ID> <bytes> [y|n]"]


def test_unknown_command():
    with nodes.Network("linear-r1h2", skip=["h2"]) as net:
        answer = net["h1"].ask("foo bar")
        assert answer[:2] == ["Invalid command: foo", "Commands:"]
        assert answer[1:] == net["h1"].ask("help")
        router = net["r1"].ask("ls")
        assert router[:2] == ["Invalid command: ls", "Commands:"]
        assert net["h1"].ask("\x1b[2J")[0] == "Invalid command: \\x1b[2J"


def test_long_and_binary_lines():
    with nodes.Network("linear-r1h2", skip=["h2", "r1"]) as net:
        net["h1"].process.stdin.write(b"li\0\n" + b"y" * 3_000_000 + b"\n")
        net["h1"].say("li")
        net["h1"].expect("error: line too long, or not text$")
        net["h1"].expect("error: line too long, or not text$")
        net["h1"].expect(" if0  10.0.0.1/24   up$")


def test_exit_and_end_of_input():
    with nodes.Network("linear-r1h2") as net:
        net["h1"].say("exit", "li")
        assert net["h1"].wait() == 0
        assert net["h1"].lines[1:] == ["Exiting..."]
        net["r1"].end_input()
        assert net["r1"].wait() == 0
        assert len(net["r1"].lines) == 1
        os.kill(net["h2"].process.pid, signal.SIGTERM)
        assert net["h2"].wait() == 0


def test_output_that_takes_nothing(tmp_path):
    path = tmp_path / "h1.lnx"
    path.write_text(f"interface if0 10.0.0.1/24 127.0.0.1:{nodes.free_ports(1)}\n")
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([nodes.BIN / "vhost", "--config", path], input="li\nexit\n",
                                text=True, timeout=30, stdout=full, stderr=subprocess.PIPE,
                                check=False)
    assert result.returncode == 1
    assert result.stderr == "vhost: cannot write to standard output\n"
