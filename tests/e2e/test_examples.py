# SPDX-License-Identifier: MIT
"""The programs of examples/, as a reader of the README would run them."""

import contextlib
import os
import pathlib
import subprocess

import nodes
import pytest

EXAMPLES = pathlib.Path(os.environ.get("WEIR_EXAMPLES", nodes.BIN.parent / "examples"))

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not built")


@contextlib.contextmanager
def server(*words):
    """A server that has said that it listens."""
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "listening\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(*words):
    return subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True,
                          timeout=30 * nodes.SLOW, check=False)


def test_two_hosts():
    result = run(EXAMPLES / "two_hosts")
    assert (result.returncode, result.stdout) == (0, "1000000 bytes arrived\n")


def test_capture(tmp_path):
    first, again = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    for path in (first, again):
        result = run(EXAMPLES / "capture", path)
        assert (result.returncode, result.stdout) == (0, "100000 bytes arrived\n")
    assert first.read_bytes() == again.read_bytes()
    assert b"sent: fast-retransmit (" in first.read_bytes()
    assert run(EXAMPLES / "capture", tmp_path / "no" / "file").returncode == 1


def test_echo():
    port = nodes.free_ports(3)
    with server(EXAMPLES / "echo_server", port, port + 1, 2) as process:
        for text in ("hello there", "x" * 100_000):
            result = run(EXAMPLES / "echo_client", port + 1, port, text)
            assert (result.returncode, result.stdout) == (0, text + "\n")
        assert process.wait(10 * nodes.SLOW) == 0


def test_v_calls():
    with nodes.Network("linear-r1h2", skip=["h1", "h2"]) as net:
        with server(EXAMPLES / "v_server", net.lnx["h2"], 9999, 1) as process:
            result = run(EXAMPLES / "v_client", net.lnx["h1"], "10.1.0.2", 9999, "loud, please")
            assert (result.returncode, result.stdout) == (0, "LOUD, PLEASE\n")
            assert process.wait(30 * nodes.SLOW) == 0


def test_hello():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        net["h2"].ask("a 9000")
        assert run(EXAMPLES / "hello", net.lnx["h1"], "10.1.0.2", 9000).returncode == 0
        net["h2"].expect("New connection on socket 0 => created new socket 1$")
        net["h2"].say("r 1 100")
        net["h2"].expect("Read 6 bytes: hello")


def test_v_client_complains(tmp_path):
    path = tmp_path / "bad.lnx"
    path.write_text("nonsense\n")
    result = subprocess.run([EXAMPLES / "v_client", path, "10.1.0.2", "1", "x"], text=True,
                            stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1
    assert f'{path}:1: "nonsense": unknown directive' in result.stderr
