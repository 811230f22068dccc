# SPDX-License-Identifier: MIT
"""The framing, the checksum and bad peers, on the wire: no crash, no hang, a clear message, and the
others unharmed."""

import random
import resource
import select
import socket
import struct

import pytest

import raw
from raw import ACK, FIN, SYN, Peer, frame, segment

MANY = 10000


def test_bytes_come_one_by_one(server, make_file):
    data = make_file(3000)
    with Peer(server.port) as peer:
        for byte in peer.make(SYN):
            peer.put(bytes([byte]))
        peer.seq += 1
        assert peer.take()[0] == SYN | ACK
        request = peer.make(ACK, b"file\r\n")
        for byte in request:
            peer.put(bytes([byte]))
        peer.seq += 6
        assert peer.read(14 + 3000) == b"file,3000,Ok\r\n" + data
        peer.close()


def test_frames_come_all_at_once(server, make_file):
    data = make_file(5000)
    with Peer(server.port) as peer:
        peer.send(SYN)
        assert peer.take()[0] == SYN | ACK
        burst = peer.make(ACK)
        for part in (b"fi", b"le", b"\r", b"\n"):
            burst += peer.make(ACK, part)
            peer.seq += len(part)
        burst += peer.make(FIN | ACK)
        peer.seq += 1
        peer.put(burst)
        assert peer.read() == b"file,5000,Ok\r\n" + data


def test_the_kernel_connection_ends_in_order(server, make_file):
    """What comes after everything is over is read, not answered with a reset."""
    make_file(10)
    with Peer(server.port).open() as peer:
        peer.fetch("file")
        peer.send(FIN | ACK)
        peer.read()
        for _ in range(100):
            peer.put(peer.make(ACK))
        while peer.receive() is not None:
            pass


def test_a_fin_that_tells_no_window(server):
    """Whoever leaves th_win out of his FIN gets one all the same."""
    with Peer(server.port).open() as peer:
        peer.fetch("none")
        peer.send(FIN | ACK, win=0)
        assert peer.read() == b""
        assert peer.receive() is None


def test_what_comes_late_is_not_lost(server, make_file):
    """Data and FIN are not sent again when an ACK needs 80 ms, as in the course's network."""
    make_file(300)
    with Peer(server.port).open() as peer:
        peer.fetch("file")
        for _ in range(3):
            peer.send(ACK, b"none\r\n")
            while not peer.take()[1].endswith(b"\r\n"):
                pass
            assert is_silent(peer, 0.08)
            peer.send(ACK)
        peer.send(FIN | ACK)
        while not peer.take()[0] & FIN:
            pass
        assert is_silent(peer, 0.08)
        peer.send(ACK)
        assert peer.receive() is None


def is_silent(peer, seconds):
    """Whether nothing comes in this time."""
    assert not peer.buffer
    return not select.select([peer.connection], [], [], seconds)[0]


def test_the_checksum_that_is_sent(server):
    """Over the address of this host's name and the peer's as it is known."""
    with Peer(server.port) as peer:
        peer.send(SYN)
        reply = peer.receive()
        assert raw.checksum(raw.pseudo(raw.OWN_ADDRESS, "127.0.0.1", len(reply)) + reply) == 0
        assert struct.unpack("!HH", reply[:4]) == (server.port, peer.connection.getsockname()[1])
        assert reply[18:20] == b"\0\0"


def test_other_addresses_in_the_checksum(server, make_file):
    data = make_file(2000)
    with Peer(server.port, addresses=("192.0.2.77", "198.51.100.3")).open() as peer:
        assert peer.fetch("file") == ("file,2000,Ok", data)
        peer.close()


def test_a_wrong_checksum(server, make_file, good_client):
    data = make_file(2000)
    with Peer(server.port).open() as peer:
        peer.put(frame(segment(ACK, peer.seq, peer.ack, b"nofile\r\n", sum_=0x1234)))
        assert peer.fetch("file") == ("file,2000,Ok", data)
        peer.close()
    server.expect("wrong checksum")
    assert not any("nofile" in line for line in server.lines)
    good_client(server)


@pytest.mark.parametrize("length", [0, 1, 19, 1501, 65535])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_frame_of_a_wrong_length(server, make_file, good_client, length, is_first):
    data = make_file(2000)
    with Peer(server.port).open() as other, Peer(server.port) as peer:
        if not is_first:
            peer.open()
        peer.put(frame(b"\0" * min(length, 5000), length))
        server.expect("wrong length")
        while peer.receive() is not None:
            pass
        assert other.fetch("file") == ("file,2000,Ok", data)
        other.close()
    good_client(server)


def test_a_frame_of_1500_bytes(server):
    name = "x" * 1478
    with Peer(server.port).open() as peer:
        line, _ = peer.fetch(name)
        assert line == name + ",-1,File does not exist or access denied"
        peer.close()


@pytest.mark.parametrize("seed", range(20))
def test_garbage(server, good_client, seed):
    chance = random.Random(seed)
    with Peer(server.port) as peer:
        if chance.random() < 0.5:
            peer.open()
        try:
            for _ in range(chance.randrange(1, 20)):
                data = chance.randbytes(chance.randrange(2000))
                peer.put(frame(data) if chance.random() < 0.5 else data)
        except OSError:
            pass  # it has had enough
    good_client(server)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_with_right_checksums(server, good_client, seed):
    """Headers of any kind come as far as the transport."""
    chance = random.Random(seed)
    with Peer(server.port).open() as peer:
        try:
            for _ in range(300):
                head = bytearray(chance.randbytes(20))
                if chance.random() < 0.7:
                    head[4:12] = struct.pack("!II", peer.seq + chance.randrange(-9, 3000), peer.ack)
                head[16:18] = b"\0\0"
                data = bytes(head) + chance.randbytes(chance.randrange(1480))
                sum_ = raw.checksum(raw.pseudo(raw.OWN_ADDRESS, "127.0.0.1", len(data)) + data)
                peer.put(frame(data[:16] + struct.pack("!H", sum_) + data[18:]))
        except OSError:
            pass
        peer.reset()
    good_client(server)


def test_a_reset_at_any_point(server, make_file, good_client):
    make_file(100000)
    conversation = segment(SYN, 100)
    for length in range(0, len(conversation) + 3, 3):
        with Peer(server.port) as peer:
            peer.put(frame(conversation)[:length])
            peer.reset()
    for steps in range(6):
        with Peer(server.port).open() as peer:
            if steps > 0:
                peer.send(ACK, b"file\r\n")
            for _ in range(steps):
                peer.take()
                peer.send(ACK)
            peer.reset()
    with Peer(server.port).open() as peer:
        peer.send(FIN | ACK)
        peer.reset()
    good_client(server)


def test_a_first_segment_that_is_no_syn(server, good_client):
    with Peer(server.port) as peer:
        peer.send(ACK)
        server.expect("not a first segment")
        assert peer.receive() is None
    good_client(server)


def crowd(port, count):
    """Connections that are open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, hard), hard))
    count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    return [socket.create_connection(("127.0.0.1", port), raw.LIMIT_S) for _ in range(count)]


def leave(connections):
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def test_idle_clients(server, good_client):
    connections = crowd(server.port, MANY)
    good_client(server)
    leave(connections)
    good_client(server)


def test_clients_that_connect_and_close(server, good_client):
    for _ in range(MANY // 1000):
        leave(crowd(server.port, 1000))
    good_client(server)


def test_clients_that_begin_with_something_else(server, good_client):
    connections = crowd(server.port, MANY)
    hello = frame(segment(ACK, 5, 6))
    for connection in connections:
        connection.sendall(hello)
    good_client(server)
    for connection in connections:
        assert connection.recv(1) == b""
    leave(connections)


def test_clients_that_never_end_the_handshake(server, good_client):
    connections = crowd(server.port, 1000)
    for connection in connections:
        connection.sendall(frame(segment(SYN, 5)))
    good_client(server)
    leave(connections)
    good_client(server)


def test_an_idle_connection_is_closed(server):
    """After ten seconds without a whole first frame."""
    with Peer(server.port) as idle, Peer(server.port) as slow:
        slow.put(frame(segment(SYN, 5))[:10])
        assert idle.receive() is None
        assert slow.connection.recv(1) == b""
    server.expect("no first segment came", 2)


def test_no_descriptors_left(start_server, good_client):
    """The listener waits, and goes on when the idle ones are gone."""
    server = start_server(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    connections = crowd(server.port, 200)
    good_client(server)
    leave(connections)
    good_client(server)
