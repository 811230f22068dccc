# SPDX-License-Identifier: MIT
"""sf and rf: files arrive whole or not at all, on good links and bad, one or ten at a time, also at
the end of input; whatever goes wrong is said, and never called a success."""

import os
import subprocess

import nodes
import pytest


def start(net, source, target, sender="h1", receiver="h2", port=9999):
    net[receiver].say(f"rf {target} {port}")
    net[receiver].sync()
    net[sender].say(f"sf {source} {net.address(receiver)} {port}")


def finish(net, size, sender="h1", receiver="h2", limit=60):
    net[receiver].expect("recvfile: client connected!$", limit)
    net[receiver].expect(rf"recvfile done:  read {size} bytes total$", limit)
    net[sender].expect(rf"Sent {size} total bytes$", limit)


@pytest.mark.parametrize("size", [0, 1, 1360, 1361, 65535, 65536, 1_000_000, 10_000_000])
def test_sizes(size, make_file, same_file, tmp_path):
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        source, target = make_file(size), tmp_path / "received.bin"
        start(net, source, target)
        finish(net, size)
        same_file(source, target)


@pytest.mark.parametrize("impair", ["loss=0.02", "loss=0.05 reorder=0.05 duplicate=0.02",
                                    "corrupt=0.02", "burst_loss=0.005 burst_length=1.5",
                                    "delay_ms=5 jitter_ms=3"])
def test_bad_links(impair, make_file, same_file, tmp_path):
    """Bursts are counted in packets: from a mean length of 2 on, who doubles his wait for each loss
    waits without a bound for the end of one (docs/lab.md)."""
    with nodes.Network("linear-r2h2", nets_options=["--impair", impair]) as net:
        net.wait_for_path("h1", "h2")
        source, target = make_file(1_000_000), tmp_path / "received.bin"
        start(net, source, target)
        finish(net, 1_000_000, limit=100)
        same_file(source, target)


def test_ten_at_once(make_file, same_file, tmp_path):
    with nodes.Network("linear-r1h2", router_flags=["--drop", "0.01"]) as net:
        net.wait_for_path("h1", "h2")
        jobs = [(make_file(200_000 + index), tmp_path / f"received-{index}", 9000 + index)
                for index in range(10)]
        for _, target, port in jobs:
            net["h2"].say(f"rf {target} {port}")
        net["h2"].sync()
        net["h1"].say(*[f"sf {source} 10.1.0.2 {port}" for source, _, port in jobs])
        for _ in jobs:
            net["h2"].expect(r"recvfile done:  read \d+ bytes total$", 90)
        for _ in jobs:
            net["h1"].expect(r"Sent \d+ total bytes$", 30)
        for source, target, _ in jobs:
            same_file(source, target)


def test_both_ways(make_file, same_file, tmp_path):
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        there, back = make_file(1_500_000), make_file(1_600_000)
        start(net, there, tmp_path / "there", "h1", "h2", 1)
        start(net, back, tmp_path / "back", "h2", "h1", 2)
        net["h2"].expect(r"recvfile done:  read 1500000 bytes total$", 60)
        net["h1"].expect(r"recvfile done:  read 1600000 bytes total$", 60)
        same_file(there, tmp_path / "there")
        same_file(back, tmp_path / "back")


def test_listener_is_gone_after_one(make_file, tmp_path):
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        start(net, make_file(1000), tmp_path / "received")
        finish(net, 1000)
        assert not [line for line in net["h2"].ask("ls") if "LISTEN" in line]


def test_into_accepted_socket(make_file):
    """sf to `a` instead of `rf`: success needs no close by the peer."""
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        net["h2"].ask("a 9999")
        net["h1"].say(f"sf {make_file(300)} 10.1.0.2 9999")
        net["h1"].expect("Sent 300 total bytes$")
        net["h2"].say("r 1 300 y")
        net["h2"].expect("Read 300 bytes: ")


def test_missing_and_odd_sources(tmp_path):
    with nodes.Network("linear-r1h2") as net:
        assert net["h1"].ask("sf /no/such/file 10.1.0.2 9999") == [
            "sendfile error: /no/such/file: No such file or directory"]
        assert net["h1"].ask(f"sf {tmp_path} 10.1.0.2 9999") == [
            f"sendfile error: {tmp_path}: not a regular file"]
        assert len(net["h1"].ask("ls")) == 1  # no socket leaked
        assert net["h1"].ask("rf /no/such/dir/file 9999") == [
            "recvfile error: /no/such/dir/file: No such file or directory"]
        assert len(net["h1"].ask("ls")) == 1


def test_nobody_listens(make_file):
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        net["h1"].say(f"sf {make_file(10)} 10.1.0.2 9999")
        net["h1"].expect("VConnect error: destination port does not exist$")
        assert len(net["h1"].ask("ls")) == 1


def test_disk_full(make_file):
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        start(net, make_file(500_000), "/dev/full")
        net["h2"].expect("recvfile error: /dev/full: No space left on device")
        net["h1"].expect("sendfile error: .*: connection reset by peer")
        assert not [line for line in net["h1"].lines if line.startswith("Sent 500000")]


@pytest.mark.parametrize("victim", ["h1", "h2"])
def test_peer_killed(victim, make_file, tmp_path):
    slow = ["--impair", "rate_mbit=10"]
    with nodes.Network("linear-r1h2", flags=["--retries", "3"], nets_options=slow,
                       good=["h1", "h2"]) as net:
        net.wait_for_path("h1", "h2")
        start(net, make_file(20_000_000), tmp_path / "received")
        net["h2"].expect("recvfile: client connected!$")
        if victim == "h2":
            net["h2"].kill()
            net["h1"].expect("sendfile error: .*: timed out after [0-9]+ bytes$", 60)
            net["h1"].expect("Socket 0 closed$")
            assert not [line for line in net["h1"].lines if line.startswith("Sent 20000000")]
        else:
            net["h1"].say("exit")
            net["h1"].wait()
            net["h2"].expect("recvfile error: .*: connection reset by peer after [0-9]+ bytes$", 20)
            assert not [line for line in net["h2"].lines if "done" in line]


def test_end_of_input_finishes(make_file, same_file, tmp_path):
    """Both nodes' input ends at once; the transfer is finished, then both end with status 0."""
    with nodes.Network("linear-r1h2", nets_options=["--impair", "rate_mbit=30"]) as net:
        net.wait_for_path("h1", "h2")
        source, target = make_file(2_000_000), tmp_path / "received"
        start(net, source, target)
        net["h2"].expect("recvfile: client connected!$")
        net["h1"].end_input()
        net["h2"].end_input()
        finish_lines = (r"recvfile done:  read 2000000 bytes total$", r"Sent 2000000 total bytes$")
        net["h2"].expect(finish_lines[0], 30)
        net["h1"].expect(finish_lines[1], 30)
        assert net["h1"].wait(20) == 0
        assert net["h2"].wait(20) == 0
        same_file(source, target)


def test_end_of_input_over_slow_links(make_file, same_file, tmp_path):
    """The last packets of a node leave links that delay; a FIN whose ACK is lost with the peer
    that ended is not waited for until the last retransmission."""
    for worse in ("", " loss=0.2"):
        with nodes.Network("linear-r1h2", nets_options=["--impair", "delay_ms=20"]) as net:
            net.wait_for_path("h1", "h2")
            source, target = make_file(3000), tmp_path / "received"
            start(net, source, target)
            net["h2"].expect("recvfile: client connected!$", 30)
            for name in net.hosts():
                net[name].say("link if0 delay_ms=20" + worse)
                net[name].end_input()
            net["h2"].expect("recvfile done:  read 3000 bytes total$", 60)
            net["h1"].expect("Sent 3000 total bytes$", 60)
            assert net["h1"].wait(10) == 0
            assert net["h2"].wait(10) == 0
            same_file(source, target)


def test_exit_over_slow_link(make_file):
    """The RST of an exit leaves a link that delays it."""
    with nodes.Network("linear-r1h2", nets_options=["--impair", "delay_ms=30"]) as net:
        net.wait_for_path("h1", "h2")
        start(net, make_file(20_000_000), "/dev/null")
        net["h2"].expect("recvfile: client connected!$")
        net["h1"].say("exit")
        assert net["h1"].wait(5) == 0
        net["h2"].expect("recvfile error: .*: connection reset by peer after [0-9]+ bytes$", 5)


def test_odd_targets(tmp_path):
    """A file is not cut before rf has its port; a pipe does not block the node."""
    target = tmp_path / "target"
    target.write_text("dear to me")
    os.mkfifo(tmp_path / "pipe")
    with nodes.Network("linear-r1h2") as net:
        net["h2"].ask("a 9999")
        assert net["h2"].ask(f"rf {target} 9999") == ["recvfile error: port already in use"]
        assert target.read_text() == "dear to me"
        assert net["h2"].ask(f"rf {tmp_path}/pipe 9998") == [
            f"recvfile error: {tmp_path}/pipe: No such device or address"]
        assert len(net["h2"].ask("ls")) == 2
        assert net["h2"].ask(f"rf {target} 9998") == []
        assert target.read_text() == ""


def test_end_of_input_delivers_closed_socket(tmp_path):
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        net["h2"].ask("a 9999")
        program = nodes.BIN / "vhost"
        result = subprocess.run([program, "--config", net.lnx["h1"]], text=True, timeout=60,
                                input="c 10.1.0.2 9999\ns 0 last words\ncl 0\n",
                                stdout=subprocess.PIPE, check=False)
        assert result.returncode == 0
        assert result.stdout.splitlines()[:2] == ["Created new socket with ID 0", "Wrote 10 bytes"]
        net["h2"].say("r 1 100")
        net["h2"].expect("Read 10 bytes: last words$")


def test_end_of_input_without_connection():
    """An rf that nobody has connected to is not waited for."""
    with nodes.Network("linear-r1h2") as net:
        net["h2"].say("rf /dev/null 9999", "a 80")
        net["h2"].end_input()
        assert net["h2"].wait(10) == 0


def test_script_from_file(tmp_path):
    """stdin is a regular file."""
    script = tmp_path / "script"
    script.write_text("li\nsend 10.0.0.1 to myself")
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        with open(script, "rb") as stdin:
            result = subprocess.run([nodes.BIN / "vhost", "--config", net.lnx["h1"]], stdin=stdin,
                                    text=True, stdout=subprocess.PIPE, timeout=30, check=False)
    assert result.returncode == 0
    assert result.stdout.splitlines()[:3] == ["Name  Addr/Prefix State", " if0  10.0.0.1/24   up",
                                              "Sent 29 bytes"]
