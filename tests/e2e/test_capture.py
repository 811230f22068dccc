# SPDX-License-Identifier: MIT
"""Captures of nodes, read back by tshark: why each packet was sent, what became of those that were
dropped, and that a file which cannot be written ends the capture and not the node."""

import os
import re
import resource
import select
import shutil
import stat
import subprocess
import threading

import nodes
import pytest
from captures import check_reasons, check_sums, frames, needs_tshark, tshark


def transfer(net, source, target, size, limit=60):
    net["h2"].say(f"rf {target} 9999")
    net["h2"].sync()
    net["h1"].say(f"sf {source} {net.address('h2')} 9999")
    net["h2"].expect(rf"recvfile done:  read {size} bytes total$", limit)
    net["h1"].expect(rf"Sent {size} total bytes$", limit)


def end_all(net):
    """Ends every node as its user would: the captures are complete then."""
    for node in net.nodes.values():
        node.say("exit")
    for node in net.nodes.values():
        assert node.wait() == 0


def capture_all(net, tmp_path):
    files = {name: tmp_path / f"{name}.pcapng" for name in net.nodes}
    for name, node in net.nodes.items():
        node.say(f"capture on {files[name]}")
        node.expect("Capturing to ")
    return files


def whys(found):
    return {frame.why for frame in found}


@needs_tshark
def test_clean_transfer(make_file, same_file, tmp_path):
    # Not the course's profile, whose timer of a millisecond sends again what was only late.
    with nodes.Network("linear-r1h2", flags=["--profile", "default"]) as net:
        net.wait_for_path("h1", "h2")
        files = capture_all(net, tmp_path)
        source, target = make_file(1_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 1_000_000)
        end_all(net)
        same_file(source, target)
    for name, path in files.items():
        found = frames(path)
        assert len(found) > 700
        check_sums(found)
        check_reasons(found)
        assert not [frame.info for frame in found if frame.drop]
        assert not frames(path, "tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment "
                                "|| tcp.analysis.out_of_order"), name
    assert whys(frames(files["r1"], "tcp && frame.packet_flags_direction == 2")) == {"forward"}
    assert {"syn", "data"} <= whys(frames(files["h1"], "tcp"))
    assert {"syn-ack", "ack", "fin"} <= whys(frames(files["h2"], "tcp"))
    assert {frame.interface for frame in frames(files["r1"])} == {"if0", "if1"}


@needs_tshark
def test_losses(make_file, same_file, tmp_path):
    with nodes.Network("linear-r1h2", nets_options=["--impair", "loss=0.04"]) as net:
        net.wait_for_path("h1", "h2")
        files = capture_all(net, tmp_path)
        source, target = make_file(2_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 2_000_000)
        end_all(net)
        same_file(source, target)
    found = frames(files["h1"])
    check_sums(found)
    check_reasons(found)
    assert "fast-retransmit" in whys(found)
    # What tshark takes for sent again is what we call so, and nothing else.
    for frame in frames(files["h1"], "tcp.analysis.retransmission && tcp.len > 0 && "
                                     "frame.packet_flags_direction == 2"):
        assert frame.why in ("fast-retransmit", "rto", "partial-ack", "loss-recovery"), frame.info
    assert not frames(files["h1"], "tcp.analysis.ack_lost_segment")
    assert "duplicate-ack" in whys(frames(files["h2"]))


@needs_tshark
def test_corrupted_packets_are_dropped_by_name(make_file, same_file, tmp_path):
    # Only hosts corrupt: two flipped bits in one packet may cancel out.
    with nodes.Network("linear-r1h2", nets_options=["--impair", "corrupt=0.05"],
                       good=["r1"]) as net:
        net.wait_for_path("h1", "h2")
        files = capture_all(net, tmp_path)
        source, target = make_file(500_000), tmp_path / "received.bin"
        transfer(net, source, target, 500_000)
        end_all(net)
        same_file(source, target)
    found = frames(files["h2"])
    check_sums(found)
    drops = {frame.drop for frame in found}
    assert {"tcp-checksum"} <= drops
    for frame in frames(files["h2"], "tcp.checksum.status == 0 && ip.checksum.status == 1"):
        assert frame.drop == "tcp-checksum", frame.info
    for frame in frames(files["r1"], "ip.checksum.status == 0 && ip.hdr_len == 20"):
        assert frame.drop and frame.drop.startswith("ip-"), frame.info


@needs_tshark
def test_from_the_first_packet_on(tmp_path):
    """With --capture the first RIP request is in it."""
    path = tmp_path / "r1.pcapng"
    with nodes.Network("linear-r2h2", router_flags=[]) as net:
        net["r1"].kill()
        node = nodes.Node("r1", "router", net.lnx["r1"], ["--capture", str(path)])
        try:
            node.sync()
            node.say("exit")
            assert node.wait() == 0
            assert re.match(r"Captured \d+ packets, \d+ bytes, in ", node.lines[-1])
        finally:
            node.kill()
    found = frames(path)
    assert found[0].why == "rip" and found[0].protocol == "200"


def test_prompt(tmp_path):
    path = tmp_path / "a.pcapng"
    with nodes.Network("linear-r1h2") as net:
        node = net["h1"]
        assert node.ask("capture") == ["No capture"]
        assert node.ask("capture off") == ["No capture"]
        assert node.ask("capture on") == ["Usage: capture [on|off] [file]"]
        assert node.ask("capture off x") == ["No capture"]
        assert node.ask("capture to x") == ["Usage: capture [on|off] [file]"]
        assert node.ask(f"capture on {tmp_path}/no/a") == \
            [f"error: capture: {tmp_path}/no/a: No such file or directory"]
        assert node.ask(f"capture on {path}") == [f"Capturing to {path}"]
        assert node.ask(f"capture on {path}") == [f"error: capture: {path} is being written"]
        node.say("send 10.1.0.2 hello")
        assert node.ask("capture off /elsewhere") == \
            ["error: capture: nothing is written to /elsewhere"]
        [line] = node.ask(f"capture off {path}")
        assert re.fullmatch(rf"Captured 1 packets, \d+ bytes, in {path}", line)
        assert b"sent: raw (" in path.read_bytes()
        assert node.ask(f"capture on {path}") == [f"Capturing to {path}"]
        [line] = node.ask("capture")
        assert line.startswith("Captured 0 packets")
        node.ask("capture off")
        assert b"sent: raw (" not in path.read_bytes()


def test_bad_file_at_start(tmp_path):
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        node = nodes.Node("h1", "host", net.lnx["h1"], ["--capture", str(tmp_path / "no" / "x")])
        try:
            assert node.wait() == 1
            assert re.search(r"capture: .*/no/x: No such file or directory$", node.lines[-1])
        finally:
            node.kill()


def wait_for_line(node, line):
    """One that may have come already, or may come yet."""
    with node.changed:
        assert node.changed.wait_for(lambda: line in node.lines, 10 * nodes.SLOW), node.lines


def wait_for_match(node, pattern):
    def found():
        return next(filter(None, (re.fullmatch(pattern, line) for line in node.lines)), None)

    with node.changed:
        assert node.changed.wait_for(found, 10 * nodes.SLOW), node.lines
        return found()


def test_full_device(make_file, same_file, tmp_path):
    """The capture ends with a message; the transfer it was of does not."""
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        net["h1"].say("capture on /dev/full")
        source, target = make_file(1_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 1_000_000)
        same_file(source, target)
        wait_for_line(net["h1"], "error: capture: /dev/full: No space left on device")
        assert net["h1"].ask("capture") == ["No capture"]


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@needs_tshark
def test_limit_on_file_sizes(make_file, same_file, tmp_path, monkeypatch):
    path = tmp_path / "limited.pcapng"
    popen = subprocess.Popen
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        monkeypatch.setattr(subprocess, "Popen",
                            lambda *args, **more: popen(*args, preexec_fn=limit_files, **more))
        net.start_node("h1")
        monkeypatch.undo()
        net.wait_for_path("h1", "h2")
        net["h1"].say(f"capture on {path}")
        source, target = make_file(1_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 1_000_000)
        same_file(source, target)
        wait_for_line(net["h1"], f"error: capture: {path}: File too large")
        told = wait_for_match(net["h1"], rf"Captured (\d+) packets, (\d+) bytes, in {path}; "
                                         r"\d+ packets missing")
    assert 90_000 < path.stat().st_size <= 100_000
    assert [int(number) for number in told.groups()] == [len(frames(path)), path.stat().st_size]
    check_reasons(frames(path))


@pytest.fixture(name="fifo")
def fixture_fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_fifo(fifo, make_file, same_file, tmp_path):
    content = []

    def read():
        content.append(fifo.read_bytes())

    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        net["h1"].say(f"capture on {fifo}")
        net["h1"].expect("Capturing to")
        net["h1"].say("send 10.1.0.2 before")  # kept until somebody reads
        net["h1"].sync()
        reader = threading.Thread(target=read)
        reader.start()
        source, target = make_file(1_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 1_000_000)
        same_file(source, target)
        [line] = net["h1"].ask("capture off")
        reader.join(10)
    packets, size = map(int, re.match(r"Captured (\d+) packets, (\d+) bytes", line).groups())
    assert packets > 700 and len(content[0]) >= size > 1_000_000
    assert content[0].index(b"before") < content[0].index(b"sent: syn (")


def test_fifo_without_reader(fifo):
    with nodes.Network("linear-r1h2") as net:
        node = net["h1"]
        assert node.ask(f"capture on {fifo}") == [f"Capturing to {fifo}"]
        node.say("send 10.1.0.2 x")
        lines = node.ask("capture off")
        assert lines[0] == f"error: capture: {fifo}: nobody came to read"
        assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_reader_that_goes(fifo):
    with nodes.Network("linear-r1h2") as net:
        node = net["h1"]
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        node.say(f"capture on {fifo}", "send 10.1.0.2 x")
        assert select.select([reader], [], [], 20)[0]
        os.close(reader)
        node.say("send 10.1.0.2 x", "send 10.1.0.2 x")
        node.expect(f"error: capture: {fifo}: nobody reads any more$")
        assert node.ask("capture") == ["No capture"]


def test_reader_that_sleeps(fifo, make_file, same_file, tmp_path):
    """Who does not read costs packets in the capture, and nothing else; the end waits a second."""
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        net["h1"].say(f"capture on {fifo}")
        source, target = make_file(20_000_000), tmp_path / "received.bin"
        transfer(net, source, target, 20_000_000)
        same_file(source, target)
        lines = net["h1"].ask("capture off")
        assert lines[0] == f"error: capture: {fifo}: the rest was not read in time"
        assert re.search(r"; \d+ packets missing$", lines[1])
        os.close(reader)


@needs_tshark
@pytest.mark.skipif(not shutil.which("mergecap"), reason="mergecap is not installed")
def test_all_scripts(tmp_path):
    """Whatever our scripts make a stack send has a reason and right sums."""
    caps = tmp_path / "caps"
    subprocess.run([str(nodes.BIN / "weir"), "drill", "--profile", "default", "--pcap", str(caps),
                    str(nodes.ROOT / "tests" / "script")], stdout=subprocess.DEVNULL, timeout=100,
                   check=True)
    files = sorted(caps.iterdir())
    assert len(files) > 500
    for path in files:
        assert b"sent: none" not in path.read_bytes(), path
    merged = tmp_path / "all.pcapng"
    subprocess.run(["mergecap", "-w", str(merged), *map(str, files)], stderr=subprocess.DEVNULL,
                   check=True)
    sums = " || ".join(f"{protocol}.checksum.status == 0" for protocol in ("ip", "tcp", "udp"))
    found = frames(merged, f"frame.packet_flags_direction == 2 && ({sums})")
    assert not [frame.info for frame in found]
    check_reasons(frames(merged))


@needs_tshark
def test_loopback(tmp_path):
    path = tmp_path / "lo.pcapng"
    with nodes.Network("linear-r1h2") as net:
        node = net["h1"]
        node.ask(f"capture on {path}")
        node.say("a 9000", f"c {net.address('h1')} 9000")
        node.sync()
        node.say(f"c {net.address('h1')} 9001")
        node.sync()
        node.ask("capture off")
    found = frames(path, "tcp")
    assert {frame.interface for frame in found} == {"lo"}
    check_sums(found)
    check_reasons(found)
    assert [frame.why for frame in found][:3] == ["syn", "syn-ack", "ack"]
    refused = [frame for frame in found if frame.drop]
    assert [(frame.why, frame.drop) for frame in refused] == [("syn", "tcp-no-connection")]
    assert tshark(path, "-Y", "tcp.analysis.retransmission || tcp.analysis.ack_lost_segment") == []
