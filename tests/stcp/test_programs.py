# SPDX-License-Identifier: MIT
"""client and server: prompts, options, messages, statuses, and what they say to each other."""

import select
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import raw
from raw import ACK, FIN, SYN, Peer


@pytest.fixture
def fake_server():
    """fake_server(play): a port where a thread plays one accepted peer; (port, its thread)."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(play):
        def run():
            connection, _ = listener.accept()
            with Peer(connection=connection) as peer:
                play(peer)
        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return listener.getsockname()[1]
    yield start
    listener.close()
    for thread in threads:
        thread.join(raw.LIMIT_S)
        assert not thread.is_alive()


def answer(peer, line, body=b""):
    """One request, answered; the request's name. The end follows, whose closes first."""
    name = peer.accept()
    while not name.endswith(b"\r\n"):
        name += peer.read(1)
    peer.send(ACK, line)
    for at in range(0, len(body), 536):
        peer.send(ACK, body[at:at + 536])
    return name


def finish(peer, is_first=False):
    if is_first:
        peer.send(FIN | ACK)
    peer.read()
    if not is_first:
        peer.send(FIN | ACK)
    while peer.receive() is not None:
        pass


def test_a_peer_that_speaks_last(fake_server, run_client):
    """A segment that comes when all is over meets no closed socket: the reset would kill an original."""
    errors = []

    def play(peer):
        answer(peer, b"x,-1,no\r\n")
        finish(peer)
        peer.send(ACK)
        poller = select.poll()
        poller.register(peer.connection, 0)
        errors.append(poller.poll(100))
    run_client("-f", "x", f"127.0.0.1:{fake_server(play)}")
    assert errors == [[]]


@pytest.mark.parametrize("size", [0, 1, 535, 536, 537, 5000, 100000])
def test_a_file(server, make_file, run_client, size):
    data = make_file(size)
    done = run_client("-f", "file", f"127.0.0.1:{server.port}")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"server: file,{size},Ok\n", "")
    assert done.received == data
    assert server.expect("client: ") == "client: file"
    assert server.expect("connected to ").startswith("connected to 127.0.0.1 at port ")


def test_quiet(server, make_file, run_client):
    make_file(5000)
    done = run_client("-q", "-f", "file", f"localhost:{server.port}")
    assert (done.returncode, done.received) == (0, b"")


def test_unreliable(start_server, make_file, run_client):
    data = make_file(50000)
    server = start_server("-U")
    done = run_client("-U", "-f", "file", f"127.0.0.1:{server.port}")
    assert (done.returncode, done.received) == (0, data)


def test_a_megabyte_is_quick(start_server, make_file, run_client):
    """Far from the reach on a quiet machine, far below what stalls of 40 ms would make of it."""
    data = make_file(1000000)
    for flags in ([], ["-U"]):
        server = start_server(*flags)
        done = run_client(*flags, "-f", "file", f"127.0.0.1:{server.port}", timeout=30 * raw.SLOW)
        assert (done.returncode, done.received) == (0, data)


def test_a_missing_file(server, run_client):
    done = run_client("-f", "none,such", f"127.0.0.1:{server.port}")
    assert done.stdout == "server: none,such,-1,File does not exist or access denied\n"
    assert (done.returncode, done.received) == (1, None)


def test_no_regular_file(server, run_client):
    done = run_client("-f", ".", f"127.0.0.1:{server.port}")
    assert "server: .,-1," in done.stdout


def test_the_prompt(server, make_file, run_client):
    data = make_file(3000)
    done = run_client(f"127.0.0.1:{server.port}", input="\n  \nnone\nfile \t\nx\nfile\n")
    assert done.stdout == (
        "\nclient> \nclient> \nclient> server: none,-1,File does not exist or access denied\n"
        "\nclient> server: file,3000,Ok\n"
        "\nclient> server: x,-1,File does not exist or access denied\n"
        "\nclient> server: file,3000,Ok\n\nclient> ")
    assert (done.returncode, done.received) == (1, data)  # not everything could be had


def test_wrong_usage(run_client):
    for arguments in ([], ["-z", "a:1"], ["a:1", "b:2"], ["-f"]):
        done = run_client(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "usage: " in done.stderr


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":80", "localhost:0", "localhost:99999",
                                     "localhost:8o", "localhost:-1"])
def test_a_wrong_address(run_client, address):
    done = run_client("-f", "x", address)
    assert done.returncode == 1
    assert "server:port" in done.stderr


def test_nobody_listens(run_client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run_client("-f", "x", f"127.0.0.1:{port}")
    assert (done.returncode, done.stderr) == (1, "myconnect: Connection refused\n")


def test_a_malformed_answer(fake_server, run_client):
    for line in (b"nonsense\r\n", b"a,b\r\n", b"a,12x,Ok\r\n", b"a,-2,Ok\r\n", b"a,,Ok\r\n"):
        def play(peer, line=line):
            answer(peer, line)
            finish(peer)
        done = run_client("-f", "a", f"127.0.0.1:{fake_server(play)}")
        assert done.stderr == "Malformed response from server.\n"
        assert (done.returncode, done.received) == (1, None)


def test_a_short_file(fake_server, run_client):
    names = []

    def play(peer):
        names.append(answer(peer, b"a,b,1000,Ok\r\n", b"x" * 990))
        finish(peer, is_first=True)
    done = run_client("-f", "a,b", f"127.0.0.1:{fake_server(play)}")
    assert names == [b"a,b\r\n"]
    assert done.stderr == "Exiting: read bad number of bytes (10 less than expected)...\n"
    assert (done.returncode, done.received) == (1, b"x" * 990)


def test_the_server_ends_before_it_answers(fake_server, run_client):
    def play(peer):
        peer.accept()
        finish(peer, is_first=True)
    done = run_client("-f", "a", f"127.0.0.1:{fake_server(play)}")
    assert done.returncode == 1
    assert "An error occurred" in done.stderr


def test_the_server_is_reset(fake_server, run_client):
    def play(peer):
        answer(peer, b"a,1000,Ok\r\n", b"x" * 500)
        peer.reset()
    done = run_client("-f", "a", f"127.0.0.1:{fake_server(play)}")
    assert done.returncode == 1
    assert "bad number of bytes" in done.stderr


def test_the_handshake_is_reset(fake_server, run_client):
    def play(peer):
        peer.take()
        peer.reset()
    done = run_client("-f", "a", f"127.0.0.1:{fake_server(play)}")
    assert done.returncode == 1
    assert done.stderr.startswith("myconnect: Connection re")


def test_an_empty_line_ends_it(server):
    with Peer(server.port).open() as peer:
        peer.send(ACK, b"\r\n")
        assert peer.read() == b""
        peer.send(FIN | ACK)


def test_a_line_that_never_ends(server, good_client):
    with Peer(server.port).open() as peer:
        for _ in range(20):
            peer.send(ACK, b"x" * 400)
        assert peer.read() == b""
        peer.send(FIN | ACK)
    good_client(server)


def test_clients_at_once(server, make_file, tmp_path):
    data = make_file(200000)

    def run(number):
        directory = tmp_path / f"client{number}"
        directory.mkdir()
        done = subprocess.run([raw.BUILD / "stcp" / "client", "-f", "file", f"127.0.0.1:{server.port}"],
                              cwd=directory, capture_output=True, timeout=raw.LIMIT_S * 3)
        return done.returncode, (directory / "rcvd").read_bytes() == data
    # One that does nothing does not hinder the others.
    with Peer(server.port).open(), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(24))) == [(0, True)] * 24


def test_the_port_of_choice(start_server, good_client):
    first = start_server()
    port = first.port
    first.process.kill()
    first.process.wait()
    first.stop = lambda: None
    good_client(start_server(str(port)))


@pytest.mark.parametrize("arguments", [["-x"], ["99999"], ["a"], ["1", "2"]])
def test_wrong_usage_of_the_server(arguments):
    done = subprocess.run([raw.BUILD / "stcp" / "server", *arguments], capture_output=True, text=True,
                          timeout=raw.LIMIT_S)
    assert done.returncode == 1
    assert "usage: " in done.stderr
