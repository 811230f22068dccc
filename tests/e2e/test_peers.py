# SPDX-License-Identifier: MIT
"""weir beside other implementations (stand-ins: peers.py, peer_router.py): files in both roles and
both directions, closed from either side, through our router and through theirs, on good links and
bad. Each arrives whole, both ends close cleanly, and no socket is left behind."""

import contextlib
import dataclasses
import random
import time

import nodes
import pytest
from peer_loop import Loop
from peer_router import Router
from peers import OTHERS, REF23, Host
from rawpeer import SYN
from test_rip import hop, wait_for_hop

SIZE = 300_000
FAST = ["--rip-update-ms", 300, "--rip-timeout-ms", 1000]
KINDS = {"ref23": REF23, "others": OTHERS,
         "small": dataclasses.replace(OTHERS, window=1500, cuts=(500,), shuffles=False),
         "slow": dataclasses.replace(REF23, window=32768, read_delay=0.01, obeys_rst=False)}


def payload(size=SIZE):
    """Text, so that a prompt can say and print it."""
    return bytes(random.Random(size).choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=size))


@contextlib.contextmanager
def beside(quirks, via="ours", loss=0.0, flags=("--time-wait", "0.2")):
    """linear-r1h2, h2 played by a stand-in; the router is `ours`, `theirs` or none (`direct`: the
    peer sits at the UDP port of r1 and speaks as h2)."""
    skip = ["h2"] if via == "ours" else ["h2", "r1"]
    with nodes.Network("linear-r1h2", skip=skip, flags=list(flags),
                       nets_options=["--no-timing"]) as net:
        if via == "direct":
            peer = Host("10.1.0.2", net.base_port + 1, net.base_port, quirks)
        else:
            peer = Host.from_lnx(net.lnx["h2"], quirks=quirks, loss=loss)
        routers = [Router(net.lnx["r1"])] if via == "theirs" else []
        with Loop(peer, *routers) as loop:
            yield net["h1"], peer, loop


def the_conn(peer):
    assert len(peer.conns) == 1
    return next(iter(peer.conns.values()))


def wait_for_rows(node, wanted, limit=15):
    """Until the answer of ls is wanted."""
    deadline = time.monotonic() + limit * nodes.SLOW
    while not wanted(rows := node.ask("ls")):
        assert time.monotonic() < deadline, rows
        with node.changed:
            count = len(node.lines)
            node.changed.wait_for(lambda: len(node.lines) > count, 0.05)


def wait_until_gone(node):
    wait_for_rows(node, lambda rows: len(rows) == 1)


def end_cleanly(node, peer, loop, states=("CLOSED", "TIME_WAIT")):
    loop.wait(lambda: the_conn(peer).state in states, "no clean end", 15)
    wait_until_gone(node)
    assert not peer.faults and not peer.resets
    assert "DEAD" not in the_conn(peer).states


def we_send_a_file(node, peer, loop, tmp_path, closes="eof", size=SIZE):
    """They listen; we send and close first, unless they close in the middle."""
    source = tmp_path / "source"
    source.write_bytes(payload(size))
    loop.call(peer.listen, 9999, closes=closes)
    node.say(f"sf {source} 10.1.0.2 9999")
    node.expect(f"Sent {size} total bytes$", 30)
    loop.wait(lambda: len(the_conn(peer).received) == size, "not all was read")
    assert the_conn(peer).received == payload(size)


def they_send_a_file(node, peer, loop, tmp_path):
    """We listen; they send and close first."""
    target = tmp_path / "target"
    node.say(f"rf {target} 9999")
    node.sync()
    loop.call(peer.connect, "10.0.0.1", 9999, to_send=payload(), closes="sent")
    node.expect(f"recvfile done:  read {SIZE} bytes total$", 30)
    assert target.read_bytes() == payload()


def we_listen_and_send(node, peer, loop, tmp_path, closes=SIZE):
    """They connect and close when they have read it all; we close then."""
    node.ask("a 9999")
    loop.call(peer.connect, "10.0.0.1", 9999, closes=closes)
    sid = node.expect(r"New connection on socket 0 => created new socket (\d+)$")[1]
    for start in range(0, SIZE, 10_000):
        node.say(f"s {sid} {payload()[start:start + 10_000].decode()}")
    if closes == SIZE:
        node.say(f"r {sid} 1")
        node.expect("VRead error: EOF$", 30)
    node.say(f"cl {sid}", "cl 0")
    loop.wait(lambda: len(the_conn(peer).received) == SIZE, "not all was read", 30)
    assert the_conn(peer).received == payload()


def we_connect_and_read(node, peer, loop, tmp_path, closes="eof"):
    """They listen and send; we close first, or they."""
    loop.call(peer.listen, 9999, to_send=payload(), closes=closes)
    node.say("c 10.1.0.2 9999", f"r 0 {SIZE} y")
    text = node.expect(f"Read {SIZE} bytes: (.*)$", 30)[1]
    assert text.encode() == payload()
    node.say("cl 0")


JOBS = {job.__name__: job for job in (we_send_a_file, they_send_a_file, we_listen_and_send,
                                      we_connect_and_read)}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("kind, via", [("ref23", "ours"), ("ref23", "theirs"), ("others", "ours"),
                                       ("others", "theirs"), ("small", "ours"), ("slow", "ours")])
def test_files(kind, job, via, tmp_path):
    with beside(KINDS[kind], via) as (node, peer, loop):
        JOBS[job](node, peer, loop, tmp_path)
        end_cleanly(node, peer, loop)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("kind, via", [("ref23", "ours"), ("ref23", "theirs"), ("others", "ours")])
def test_files_with_loss(kind, job, via, tmp_path):
    # Our TIME_WAIT must outlast their retransmission of a FIN.
    with beside(KINDS[kind], via, 0.02, ("--time-wait", "1")) as (node, peer, loop):
        JOBS[job](node, peer, loop, tmp_path)
        end_cleanly(node, peer, loop)
        assert peer.lost


@pytest.mark.parametrize("kind", ["ref23", "others"])
def test_other_side_closes_first(kind, tmp_path):
    with beside(KINDS[kind]) as (node, peer, loop):
        we_connect_and_read(node, peer, loop, tmp_path, "sent")
        end_cleanly(node, peer, loop)
    with beside(KINDS[kind]) as (node, peer, loop):
        we_listen_and_send(node, peer, loop, tmp_path, "eof")
        end_cleanly(node, peer, loop)
    with beside(KINDS[kind]) as (node, peer, loop):  # in the middle of our file
        we_send_a_file(node, peer, loop, tmp_path, 10_000)
        end_cleanly(node, peer, loop)


def test_burst_after_the_handshake(tmp_path):
    """Whose accepted socket dies of data in the instant of the handshake's ACK gets a pause.
    Without a router, which might make one instant of two."""
    with beside(dataclasses.replace(REF23, burst_kills=0.001), "direct") as (node, peer, loop):
        for port in range(9000, 9010):
            loop.call(peer.listen, port)
            node.say(f"sf /etc/passwd 10.1.0.2 {port}")
            node.expect(r"Sent \d+ total bytes$")
        assert all("DEAD" not in conn.states for conn in peer.conns.values())
        wait_until_gone(node)


@pytest.mark.parametrize("kind", ["ref23", "others"])
def test_handshake_ack_is_lost(kind, tmp_path):
    """OTHERS drop our data until the SYN-ACK that they repeat was acknowledged."""
    with beside(dataclasses.replace(KINDS[kind], rto_initial=0.3)) as (node, peer, loop):
        first = []

        def is_first(direction, segment):
            if direction == "in" and not segment.flags & SYN:
                first.append(segment.data)
                return len(first) == 1
            return False

        peer.loses = is_first
        we_send_a_file(node, peer, loop, tmp_path)
        end_cleanly(node, peer, loop)
        assert first[0] == b"" and first[1]


@pytest.mark.parametrize("kind", ["ref23", "others"])
def test_last_ack_is_lost(kind, tmp_path):
    """They repeat their FIN, and TIME_WAIT answers, also if it is bare."""
    with beside(KINDS[kind], flags=("--time-wait", "1.2")) as (node, peer, loop):
        lost = []

        def is_last(direction, segment):
            if direction == "out" or the_conn(peer).state != "LAST_ACK":
                return False
            lost.append(segment)
            return len(lost) == 1

        peer.loses = lambda *what: bool(peer.conns) and is_last(*what)
        we_send_a_file(node, peer, loop, tmp_path, size=1000)
        end_cleanly(node, peer, loop, ["CLOSED"])


def test_their_window_stays_shut(tmp_path):
    """They read only every 1.2 s and never say that they have: our probes find out."""
    with beside(dataclasses.replace(REF23, read_delay=1.2)) as (node, peer, loop):
        we_send_a_file(node, peer, loop, tmp_path, size=120_000)
        end_cleanly(node, peer, loop)


@pytest.mark.parametrize("hears", [True, False])
def test_our_window_stays_shut(hears):
    """They probe while nobody reads here; when the probe is taken, they send its byte again."""
    with beside(dataclasses.replace(REF23, hears_updates=hears)) as (node, peer, loop):
        loop.call(peer.listen, 9999, to_send=payload(100_000), closes="sent")
        node.say("c 10.1.0.2 9999")
        loop.wait(lambda: peer.conns and the_conn(peer).probes == 1, "no probe")
        node.say("r 0 100000 y", "cl 0")
        text = node.expect("Read 100000 bytes: (.*)$", 30)[1]
        assert text.encode() == payload(100_000)
        assert the_conn(peer).probes <= 2
        end_cleanly(node, peer, loop)


def test_bare_fins_in_fin_wait_2():
    """They close first and repeat their FIN, bare; our data gets one more of them for an answer."""
    with beside(REF23) as (node, peer, loop):
        node.ask("a 9999")
        loop.call(peer.connect, "10.0.0.1", 9999, closes=5)
        sid = node.expect(r"New connection on socket 0 => created new socket (\d+)$")[1]
        node.say(f"s {sid} hello")
        loop.wait(lambda: the_conn(peer).refins == 3, "too few FINs")
        node.say(f"s {sid} good bye", f"cl {sid}", "cl 0")
        loop.wait(lambda: the_conn(peer).received == b"hellogood bye", "data was lost")
        end_cleanly(node, peer, loop)
        assert the_conn(peer).answered


def test_they_send_to_a_closed_socket():
    """From CLOSE_WAIT, with an ack one short of our FIN. Nobody reads that, but they end in order."""
    with beside(REF23) as (node, peer, loop):
        loop.call(peer.listen, 9999, closes="never")
        node.say("c 10.1.0.2 9999", "cl 0")
        loop.wait(lambda: peer.conns and the_conn(peer).state == "CLOSE_WAIT", "no FIN")
        wait_for_rows(node, lambda rows: "FIN_WAIT_2" in rows[-1])
        loop.call(the_conn(peer).write, b"late")
        loop.call(the_conn(peer).close)
        end_cleanly(node, peer, loop)


def test_we_close_in_the_middle():
    with beside(REF23) as (node, peer, loop):
        loop.call(peer.listen, 9999, to_send=payload(), closes="sent")
        node.say("c 10.1.0.2 9999", "r 0 1000 y")
        node.expect("Read 1000 bytes: ")
        node.say("cl 0")  # what they still send is acknowledged and thrown away
        end_cleanly(node, peer, loop)


def test_they_connect_to_a_closed_port():
    with beside(REF23) as (node, peer, loop):
        loop.call(peer.connect, "10.0.0.1", 9999)
        loop.wait(lambda: the_conn(peer).state == "CLOSED", "no reset")
        assert peer.resets == 1 and len(node.ask("ls")) == 1


@pytest.mark.parametrize("impair", ["", "loss=0.02"])
def test_our_hosts_at_their_router(impair, make_file, same_file, tmp_path):
    options = ["--no-timing"] + (["--impair", impair] if impair else [])
    with nodes.Network("linear-r1h2", skip=["r1"], nets_options=options) as net:
        with Loop(Router(net.lnx["r1"])):
            source, target = make_file(SIZE), tmp_path / "received"
            net["h2"].say(f"rf {target} 9999")
            net["h2"].sync()
            net["h1"].say(f"sf {source} 10.1.0.2 9999")
            net["h2"].expect(f"recvfile done:  read {SIZE} bytes total$", 30)
            net["h1"].expect(f"Sent {SIZE} total bytes$")
            same_file(source, target)


def wait_for_table(loop, router, wanted):
    loop.wait(lambda: router.table() == wanted, f"the table is not {wanted}", 15)


def test_rip_beside_their_router():
    """Theirs between two of ours; then one of ours dies, theirs, and both come back."""
    with nodes.Network("linear-r3h2", skip=["r2"], nets_options=FAST) as net:
        router = Router(net.lnx["r2"], 0.3, 1.0)
        whole = {"10.0.0.0/24": ("10.1.0.1", 1), "10.3.0.0/24": ("10.2.0.2", 1)}
        with Loop(router) as loop:
            wait_for_table(loop, router, whole)
            wait_for_hop(net["r1"], "10.2.0.0/24", ("10.1.0.2", "1"))
            wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
            wait_for_hop(net["r3"], "10.0.0.0/24", ("10.2.0.1", "2"))
            net.wait_for_path("h1", "h2")
            net["r3"].kill()
            wait_for_hop(net["r1"], "10.3.0.0/24", None)
            wait_for_table(loop, router, {"10.0.0.0/24": ("10.1.0.1", 1)})
            net.start_node("r3")
            wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
            net.wait_for_path("h1", "h2")
        wait_for_hop(net["r1"], "10.3.0.0/24", None)
        assert hop(net["r1"], "10.1.0.0/24")
        router = Router(net.lnx["r2"], 0.3, 1.0)
        with Loop(router) as loop:
            wait_for_table(loop, router, whole)
            net.wait_for_path("h2", "h1")


def test_rip_around_their_router():
    """Theirs is the short way of `loop`. It has no ear for our poison: what it holds must time out
    there, and the long way is taken all the same."""
    with nodes.Network("loop", skip=["r2"], nets_options=FAST) as net:
        with Loop(Router(net.lnx["r2"], 0.3, 1.0)) as loop:
            router = loop.endpoints[0]
            wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
            loop.wait(lambda: len(router.table()) == 5, "not all was learned")
            net["r3"].ask("down if0")
            wait_for_hop(net["r1"], "10.3.0.0/24", ("10.4.0.2", "3"))
            loop.wait(lambda: router.table().get("10.3.0.0/24") == ("10.1.0.1", 4),
                      "no way around")
            net.wait_for_path("h1", "h2")
            net["r3"].ask("up if0")
            wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
            net.wait_for_path("h1", "h2")
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.4.0.2", "3"))
        net.wait_for_path("h1", "h2")
