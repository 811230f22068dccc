# SPDX-License-Identifier: MIT
"""One node of the network is played by the test: what weir's packets look like, and how it takes the
odd habits of other implementations and hostile datagrams."""

import contextlib
import os
import random
import socket
import struct

import nodes
import pytest
from rawpeer import ACK, FIN, RST, SYN, RawNode, Segment, ip_packet, tcp_segment


@contextlib.contextmanager
def network(skip="h2", **options):
    """linear-r1h2 with the raw node in the place of h2 (UDP port base + 3, at r1's base + 2)."""
    with nodes.Network("linear-r1h2", skip=[skip], **options) as net:
        with RawNode(net.base_port + 3, net.base_port + 2, "10.1.0.2", "10.0.0.1") as raw:
            yield net, raw


def accept_from(net, raw, seq=1000, port=9999):
    """h1 connects to the raw node; returns (h1's port, h1's next sequence number)."""
    net["h1"].say(f"c 10.1.0.2 {port}")
    syn = raw.receive(lambda s: s.protocol == 6)
    assert syn.flags == SYN and syn.offset == 5 and syn.window <= 65535
    raw.send_tcp(port, syn.sport, seq, syn.seq + 1, SYN | ACK)
    ack = raw.receive(lambda s: s.protocol == 6)
    assert ack.flags == ACK and ack.ack == (seq + 1) & 0xffffffff
    net["h1"].expect("Created new socket with ID 0$")
    return syn.sport, (syn.seq + 1) & 0xffffffff


def test_wire_format():
    with network() as (net, raw):
        port, seq = accept_from(net, raw)
        net["h1"].say("s 0 hello")
        data = raw.receive(lambda s: s.data)
        assert data.data == b"hello" and data.seq == seq and data.flags & ACK
        assert data.ttl == 15  # 16, and one router
        raw.send_tcp(9999, port, 1001, seq + 5, ACK, b"world")
        ack = raw.receive(lambda s: not s.data)  # data may have come again, if this took long
        assert ack.ack == 1006 and ack.data == b""
        net["h1"].say("r 0 10")
        net["h1"].expect("Read 5 bytes: world$")
        net["h1"].say("cl 0")
        fin = raw.receive(lambda s: s.flags & FIN)
        assert fin.seq == (seq + 5) & 0xffffffff and fin.flags & ACK


@pytest.mark.parametrize("seq", [0, 0x7ffffff0, 0xfffffffa])
def test_sequence_numbers_wrap(seq):
    with network() as (net, raw):
        port, mine = accept_from(net, raw, seq)
        for index in range(4):
            raw.send_tcp(9999, port, seq + 1 + 4 * index, mine, ACK, b"abcd")
        net["h1"].say("r 0 16 y")
        net["h1"].expect("Read 16 bytes: abcdabcdabcdabcd$")


def test_segments_are_full():
    """MSS 1360 both ways without the option."""
    with network() as (net, raw):
        port, seq = accept_from(net, raw)
        net["h1"].say("s 0 " + "x" * 5000)
        first = raw.receive(lambda s: s.data)
        assert len(first.data) == 1360
        assert len(first.payload) + 20 == 1400


def test_bare_fin():
    """Some peers send FIN without ACK."""
    with network() as (net, raw):
        port, seq = accept_from(net, raw)
        raw.send_tcp(9999, port, 1001, 0, FIN)
        ack = raw.receive(lambda s: s.flags == ACK)
        assert ack.ack == 1002
        net["h1"].say("r 0 1")
        net["h1"].expect("VRead error: EOF$")


def test_silent_port_times_out():
    with network(flags=["--retries", "2"]) as (net, raw):
        net["h1"].say("c 10.1.0.2 9999")
        for _ in range(3):
            assert raw.receive(lambda s: s.protocol == 6, 15).flags == SYN
        net["h1"].expect("VConnect error: destination port does not exist$", 30)


def test_reset_is_obeyed():
    with network() as (net, raw):
        port, seq = accept_from(net, raw)
        raw.send_tcp(9999, port, 1001, seq, RST | ACK)
        net["h1"].expect("Socket 0 error: connection reset by peer$")
        net["h1"].expect("Socket 0 closed$")


def test_zero_window_is_probed():
    with network() as (net, raw):
        port, seq = accept_from(net, raw)
        raw.send_tcp(9999, port, 1001, seq, ACK, b"x", window=0)
        raw.receive(lambda s: s.ack == 1002)  # so it has heard of the window
        net["h1"].say("s 0 patience")
        probe = raw.receive(lambda s: s.data, 15)
        assert probe.data == b"p"
        raw.send_tcp(9999, port, 1002, seq, ACK, window=0)
        again = raw.receive(lambda s: s.data, 15)
        assert again.data == b"p"
        raw.send_tcp(9999, port, 1002, seq + 1, ACK, window=100)
        rest = raw.receive(lambda s: s.data, 15)
        assert rest.data == b"atience"


def test_ip_options_and_trailing_bytes():
    with network() as (net, raw):
        raw.send(ip_packet("10.1.0.2", "10.0.0.1", 0, b"opt", options=b"\x01\x01\x01\x00"))
        net["h1"].expect("Received test packet: Src: 10.1.0.2, .* Data:  opt$")
        raw.send(ip_packet("10.1.0.2", "10.0.0.1", 0, b"cut") + b"trailing bytes")
        net["h1"].expect("Received test packet: Src: 10.1.0.2, .* Data:  cut$")


def test_dropped_packets():
    """Each of these must be dropped; the last one shows that the node has read them all."""
    good = ip_packet("10.1.0.2", "10.0.0.1", 0, b"bad")
    long = bytearray(ip_packet("10.1.0.2", "10.0.0.1", 0, b"bad"))
    long[2:4] = struct.pack("!H", 1000)
    bad = [b"", b"x", good[:19], bytes([0x65]) + good[1:], bytes([0x44]) + good[1:],
           bytes([0x4f]) + good[1:], good[:10] + b"\0\0" + good[12:], bytes(long),
           ip_packet("10.1.0.2", "10.0.0.1", 0, b"bad", ttl=0),
           ip_packet("10.1.0.2", "10.0.0.1", 0, b"bad", ttl=1),
           ip_packet("10.1.0.2", "10.77.0.1", 0, b"bad"),
           ip_packet("10.1.0.2", "10.0.0.1", 99, b"bad")]
    with network() as (net, raw):
        for packet in bad:
            raw.send(packet)
        raw.send(ip_packet("10.1.0.2", "10.0.0.1", 0, b"fence"))
        net["h1"].expect("Received test packet: .* fence$")
        assert not [line for line in net["h1"].lines if line.endswith("bad")]


def test_strangers_are_dropped():
    with network() as (net, raw):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(ip_packet("10.1.0.2", "10.0.0.1", 0, b"forged"), raw.to)
        raw.send(ip_packet("10.1.0.2", "10.0.0.1", 0, b"honest"))
        net["h1"].expect("Received test packet: .* honest$")
        assert not [line for line in net["h1"].lines if line.endswith("forged")]
        assert any("not-neighbour" in line for line in net["r1"].ask("stats"))


def mutations(rng, address, peer):
    """Datagrams without end: noise, and damaged packets of every protocol."""
    while True:
        kind = rng.randrange(5)
        if kind == 0:
            yield rng.randbytes(rng.randrange(100))
            continue
        if kind == 1:
            payload = tcp_segment(address, peer, rng.choice((9999, rng.randrange(65536))),
                                  rng.choice((9999, rng.randrange(65536))), rng.getrandbits(32),
                                  rng.getrandbits(32), rng.randrange(64), rng.randrange(65536),
                                  rng.randbytes(rng.randrange(40)))
            packet = ip_packet(address, peer, 6, payload)
        elif kind == 2:
            packet = ip_packet(address, peer, 200, struct.pack("!HH", rng.randrange(4),
                                                               rng.randrange(70)) +
                               rng.randbytes(12 * rng.randrange(4)))
        else:
            packet = ip_packet(address, peer, rng.choice((0, 1, 6, 200, rng.randrange(256))),
                               rng.randbytes(rng.randrange(80)))
        if rng.randrange(2):
            damaged = bytearray(packet)
            for _ in range(rng.randrange(1, 4)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            packet = bytes(damaged)
        yield packet


@pytest.mark.parametrize("who", ["stranger", "neighbour"])
def test_hostile_datagrams(who, make_file, same_file, tmp_path):
    """100,000 datagrams, half from each, at the hosts and the router while a transfer runs through
    them. The neighbour's datagrams come from h3's UDP address, which h1 and r1 trust."""
    count = int(os.environ.get("WEIR_HOSTILE", "50000"))
    rng = random.Random(1)
    with nodes.Network("linear-r1h4", skip=["h2"],
                       nets_options=["--impair", "rate_mbit=20"]) as net:
        net.wait_for_path("h1", "h3")
        source, target = make_file(3_000_000), tmp_path / "received"
        net["h3"].say(f"rf {target} 9999")
        net["h3"].sync()
        net["h1"].say(f"sf {source} {net.address('h3')} 9999")
        port = net.base_port  # h1, h2, r1 | r1, h3, h4
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", port + 1 if who == "neighbour" else 0))
            targets = [(port, net.address("h1")), (port + 2, "10.0.0.3"),
                       (port + 2, net.address("h3"))]
            stream = mutations(rng, net.address("h2"), net.address("h1"))
            streams = {address: mutations(rng, net.address("h2"), address)
                       for _, address in targets}
            del stream
            for index in range(count):
                udp, address = targets[index % len(targets)]
                sock.sendto(next(streams[address]), ("127.0.0.1", udp))
        net["h3"].expect("recvfile done:  read 3000000 bytes total$", 60)
        net["h1"].expect("Sent 3000000 total bytes$", 60)
        same_file(source, target)
        for name in ("h1", "r1", "h3", "h4"):
            assert net[name].process.poll() is None
            net[name].sync()
        if who == "stranger":
            assert any("not-neighbour" in line for line in net["r1"].ask("stats"))


def test_segment_class_reads_what_it_writes():
    segment = Segment(ip_packet("1.2.3.4", "5.6.7.8", 6,
                                tcp_segment("1.2.3.4", "5.6.7.8", 1, 2, 3, 4, ACK, 5, b"six")))
    assert (segment.sport, segment.dport, segment.seq, segment.ack, segment.flags,
            segment.window, segment.data) == (1, 2, 3, 4, ACK, 5, b"six")
