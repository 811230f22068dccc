# SPDX-License-Identifier: MIT
"""weir perf as two programs: over one link, through a router, over a bad link; its figures against
what was asked for; Ctrl-C; wrong usage; somebody who talks nonsense to the server."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import nodes
import pytest

BIN = pathlib.Path(os.environ.get("WEIR_BIN", "build/bin"))
MODES = ["bulk", "reverse", "bidir", "ping-pong", "connect"]


class Perf:
    """One end: a process, and what it says in the end."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([BIN / "weir", "perf", *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline()

    def end(self, number=None, timeout=60):
        """Interrupts it if a signal's number is given. Returns (status, output, errors)."""
        if number is not None:
            self.process.send_signal(number)
        try:
            out, errors = self.process.communicate(timeout=timeout * nodes.SLOW)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        return self.process.returncode, out, errors


class Link:
    """Two lnx files of hosts on one network, without a router."""

    def __init__(self, directory, impair=""):
        base = nodes.free_ports(2)
        self.files = []
        for number in (1, 2):
            path = directory / f"n{number}.lnx"
            path.write_text(f"interface if0 10.9.0.{number}/24 127.0.0.1:{base + number}\n"
                            f"{impair}"
                            f"neighbor 10.9.0.{3 - number} at 127.0.0.1:{base + 3 - number} via if0\n"
                            "routing static\n")
            self.files.append(path)
        self.server_address = "10.9.0.2"

    def server(self, *options):
        server = Perf("--server", "--net", self.files[1], *options)
        if "--json" not in options:
            assert server.line().startswith("listening on port ")
        return server

    def client(self, *options):
        return Perf("--client", self.server_address, "--net", self.files[0], *options)

    def measure(self, *options):
        """The client's JSON."""
        status, out, errors = self.client("--json", *options).end()
        assert (status, errors) == (0, "")
        return json.loads(out)


@pytest.fixture(name="link")
def fixture_link(tmp_path):
    return Link(tmp_path)


def flag(mode):
    return [] if mode == "bulk" else [f"--{mode}"]


@pytest.mark.parametrize("parallel", [1, 6])
@pytest.mark.parametrize("mode", MODES)
def test_modes_by_time(link, mode, parallel):
    server = link.server("--once")
    got = link.measure(*flag(mode), "--time", "0.5", "--interval", "0.1", "--parallel", parallel)
    status, out, errors = server.end()
    assert (status, errors) == (0, "")
    assert out.startswith("10.9.0.1 port ")
    assert got["mode"] == mode and got["parallel"] == parallel and got["ended"] == "time"
    assert 0.4 < got["seconds"] < 10 * nodes.SLOW
    directions = [row["direction"] for row in got["totals"]]
    assert directions == {"bulk": ["out"], "reverse": ["in"], "bidir": ["out", "in"]}.get(mode, [])
    for row in got["totals"]:
        assert row["bytes"] > 0
        assert row["bits_per_second"] == pytest.approx(8 * row["bytes"] / row["to"], rel=1e-3)
        rows = [each for each in got["intervals"] if each["direction"] == row["direction"]]
        assert rows and rows[0]["from"] == 0
        assert all(before["to"] == after["from"] for before, after in zip(rows, rows[1:]))
    if mode in ("ping-pong", "connect"):
        latency = got["latency"]
        assert got["operations"] >= parallel
        assert 0 < latency["min"] <= latency["p50"] <= latency["p99"] <= latency["max"]
        assert latency["min"] <= latency["mean"] <= latency["max"]


@pytest.mark.parametrize("mode", MODES[:3])
def test_bytes_are_counted_exactly(link, mode):
    server = link.server("--json")
    for amount, number in (("1", 1), ("12345678", 12345678), ("3Mi", 3 << 20), ("1.5M", 1500000)):
        got = link.measure(*flag(mode), "--bytes", amount, "--parallel", 3)
        assert [row["bytes"] for row in got["totals"]] == [number] * len(got["totals"])
        theirs = json.loads(server.line())
        assert sum(row["bytes"] for row in theirs["totals"]) == number * len(got["totals"])
    assert server.end(signal.SIGINT)[0] == 0


def test_ping_pong_counts_round_trips(link):
    server = link.server("--once")
    got = link.measure("--ping-pong", "--size", 1000, "--bytes", 50000)
    assert got["operations"] == 50
    server.end()


def test_through_a_router():
    with nodes.Network("linear-r1h2", skip=("h1", "h2")) as net:
        server = Perf("--server", "--net", net.lnx["h2"], "--once", "--json")
        client = Perf("--client", net.address("h2"), "--net", net.lnx["h1"], "--bytes", "20M",
                      "--json")
        status, out, errors = client.end()
        assert (status, errors) == (0, "")
        assert json.loads(out)["totals"][0]["bytes"] == 20000000
        assert server.end()[0] == 0


def test_over_a_bad_link(tmp_path):
    link = Link(tmp_path, "# weir: impair if0 loss=0.02 delay_ms=1\n")
    server = link.server("--once")
    got = link.measure("--bytes", "2M")
    row = got["totals"][0]
    assert row["bytes"] == 2000000
    assert row["retransmissions"] > 0
    assert row["rtt"] >= 0.002
    assert server.end()[0] == 0


def test_system_that_refuses_to_cut(link):
    """A device whose MTU is less than a packet: the system takes no run, but single datagrams, in
    fragments. No run is lost over that."""
    if shutil.which("unshare") is None or subprocess.run(
            ["unshare", "-rn", "ip", "link", "set", "lo", "up", "mtu", "1300"],
            capture_output=True, check=False).returncode:
        pytest.skip("no network namespace of our own")
    program = BIN.resolve() / "weir"
    script = (f"ip link set lo up mtu 1300; {program} perf --server --net {link.files[1]} --once "
              f"--profile default & {program} perf --client 10.9.0.2 --net {link.files[0]} "
              "--profile default --bytes 3M --json --interval 0; wait")
    done = subprocess.run(["unshare", "-rn", "sh", "-c", script], capture_output=True, text=True,
                          timeout=60 * nodes.SLOW, check=True)
    row = json.loads(next(line for line in done.stdout.splitlines() if line[0] == "{"))["totals"][0]
    assert row["bytes"] == 3000000
    assert row["retransmissions"] < 40  # a run that was lost would be more


def test_profile_of_the_node(link):
    server = link.server("--once", "--profile", "default")
    assert link.measure("--profile", "default", "--bytes", "1M")["profile"] == "default"
    server.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_client_tells_totals(link, number):
    server = link.server()
    client = link.client("--time", 3600, "--interval", "0.1")
    assert client.line().startswith("10.9.0.2 port 5201: bulk, 1 stream, 3600 s")
    client.line()
    assert " out " in client.line()
    status, out, errors = client.end(number)
    assert (status, errors) == (0, "")
    assert out.splitlines()[-2] == "in all"
    assert " out " in out.splitlines()[-1]
    # The server has the same sum, and goes on serving.
    assert link.measure("--bytes", "10k")["totals"][0]["bytes"] == 10000
    status, told, errors = server.end(number)
    assert (status, errors) == (0, "")
    assert told.splitlines()[2].split()[3] == out.splitlines()[-1].split()[3]


def test_interrupted_server(link):
    server = link.server()
    client = link.client("--time", 3600, "--interval", "0.1")
    for _ in range(3):
        client.line()
    status, out, _ = server.end(signal.SIGINT)
    assert status == 0 and "interrupted" in out
    status, out, errors = client.end()
    assert status == 1 and errors.startswith("weir perf: ")
    assert " out " in out.splitlines()[-1]


def test_killed_client_frees_the_server(link):
    server = link.server()
    client = link.client("--time", 3600, "--ping-pong", "--json")
    server.line()  # the test has begun
    client.process.kill()
    client.end()
    line = server.line()
    while line and line not in ("the client has gone\n", "a connection has failed\n"):
        line = server.line()  # until keep-alive, or a retransmission time-out, has found out
    assert link.measure("--bytes", "1")["totals"][0]["bytes"] == 1
    assert server.end(signal.SIGINT)[0] == 0


def test_server_of_one_test_that_fails(link):
    server = link.server("--once", "--json")
    client = link.client("--time", 3600, "--interval", "0.1")
    for _ in range(3):
        client.line()
    client.process.kill()
    client.end()
    line = json.loads(server.line())
    assert line["ended"] == "error"
    assert server.end()[0] == 1


def test_no_server(link):
    status, out, errors = link.client("--time", 1).end()
    assert status == 1 and out == ""
    assert errors.startswith("weir perf: cannot connect: ")


@pytest.mark.parametrize("arguments", [
    [], ["--server"], ["--client", "10.0.0.1"], ["--server", "--client", "10.0.0.1", "--net", "x"],
    ["--server", "--net", "x", "--time", "1"], ["--server", "--net", "x", "--reverse"],
    ["--client", "10.0.0", "--net", "x"], ["--client", "10.0.0.1", "--net", "x", "--port", "0"],
    ["--client", "10.0.0.1", "--net", "x", "--port", "65536"],
    ["--client", "10.0.0.1", "--net", "x", "--time", "0"],
    ["--client", "10.0.0.1", "--net", "x", "--time", "1", "--bytes", "1"],
    ["--client", "10.0.0.1", "--net", "x", "--time", "nan"],
    ["--client", "10.0.0.1", "--net", "x", "--time", "-1"],
    ["--client", "10.0.0.1", "--net", "x", "--bytes", "0"],
    ["--client", "10.0.0.1", "--net", "x", "--bytes", "1T"],
    ["--client", "10.0.0.1", "--net", "x", "--bytes", "inf"],
    ["--client", "10.0.0.1", "--net", "x", "--parallel", "129"],
    ["--client", "10.0.0.1", "--net", "x", "--size", "65537"],
    ["--client", "10.0.0.1", "--net", "x", "--reverse", "--bidir"],
    ["--client", "10.0.0.1", "--net", "x", "--connect", "--bytes", "1"],
    ["--client", "10.0.0.1", "--net", "x", "--profile", "nobody"],
    ["--client", "10.0.0.1", "--net", "x", "--json=1"], ["--client", "10.0.0.1", "--net"],
    ["--nothing"], ["x"],
])
def test_wrong_usage(arguments):
    status, out, errors = Perf(*arguments).end()
    assert (status, out) == (2, "")
    assert "usage: weir perf" in errors


@pytest.mark.parametrize("name, value, expected", [
    ("--client", "x", "an address"), ("--port", "0", "1 to 65535"), ("--time", "0", "seconds"),
    ("--bytes", "1T", "Mi"), ("--size", "65537", "1 to 65536"), ("--parallel", "129", "1 to 128"),
    ("--interval", "-1", "0 for none"), ("--profile", "x", "brown, default, strict or linux")])
def test_wrong_values_are_named(name, value, expected):
    _, _, errors = Perf("--net", "x", name, value).end()
    first = errors.splitlines()[0]
    assert first.startswith(f'weir perf: {name}: bad value "{value}", expected ')
    assert expected in first


def test_help():
    status, out, errors = Perf("--help").end()
    assert status == 0 and out.startswith("usage: weir perf --server") and errors == ""


def test_node_that_cannot_be():
    status, out, errors = Perf("--server", "--net", "/nonexistent.lnx").end()
    assert (status, out) == (1, "")
    assert errors.startswith("weir perf: /nonexistent.lnx")


def test_full_output(link):
    server = link.server("--once")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BIN / "weir", "perf", "--client", "10.9.0.2", "--net",
                               link.files[0], "--bytes", "1"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "cannot write to standard output" in done.stderr
    server.end()
