# SPDX-License-Identifier: MIT
"""a, c, ls, s, r, cl: a session's exact words, and `cl` in every state that a prompt can reach."""

import re

import nodes
import pytest


@pytest.fixture
def net():
    with nodes.Network("linear-r1h2", flags=["--time-wait", "0.4"]) as network:
        network.wait_for_path("h1", "h2")
        network.wait_for_path("h2", "h1")
        yield network


def connect(net, port=9999):
    """h1's connection 0 to h2's, which is 1 (listener 0)."""
    assert net["h2"].ask(f"a {port}") == ["Created listen socket with ID 0"]
    net["h1"].say(f"c 10.1.0.2 {port}")
    net["h1"].expect("Created new socket with ID 0$")
    net["h2"].expect("New connection on socket 0 => created new socket 1$")


def state(node, sid):
    for line in node.ask("ls"):
        words = line.split()
        if words[0] == str(sid):
            return words[5]
    return None


def wait_for_state(node, sid, wanted, limit=10):
    for _ in range(int(limit * nodes.SLOW / 0.05)):
        if state(node, sid) == wanted:
            return
        try:
            node.expect("no such line", 0.05 / nodes.SLOW)
        except nodes.Timeout:
            pass
    assert state(node, sid) == wanted


def test_session(net):
    connect(net)
    rows = net["h2"].ask("ls")
    assert rows[0] == "SID      LAddr LPort      RAddr RPort       Status"
    assert rows[1] == "  0    0.0.0.0  9999    0.0.0.0     0       LISTEN"
    assert re.match(r"  1   10.1.0.2  9999   10.0.0.1 +\d+  ESTABLISHED$", rows[2])
    assert net["h1"].ask("s 0 hello  world") == ["Wrote 12 bytes"]
    net["h2"].say("r 1 5")
    net["h2"].expect("Read 5 bytes: hello$")
    net["h2"].say("r 1 100")
    net["h2"].expect("Read 7 bytes:   world$")
    net["h2"].say("r 1 10 y")
    net["h1"].ask("s 0 12345")
    net["h1"].ask("s 0 67890abc")
    net["h2"].expect("Read 10 bytes: 1234567890$")
    net["h2"].say("r 1 10 n")
    net["h2"].expect("Read 3 bytes: abc$")
    assert net["h1"].ask("cl 0") == []
    net["h2"].say("r 1 1")
    net["h2"].expect("VRead error: EOF$")
    assert net["h1"].ask("s 0 x") == ["VWrite error: Cannot send after transport endpoint shutdown"]
    assert net["h1"].ask("r 0 1") == ["VRead error: Operation not permitted"]
    assert net["h1"].ask("cl 0") == ["error: connection closing"]
    # Writing after the peer's close is legal; that the peer answers with a RST is, too.
    assert net["h2"].ask("s 1 still open")[0] == "Wrote 10 bytes"


def test_both_ways_and_close(net):
    connect(net)
    wait_for_state(net["h2"], 1, "ESTABLISHED")
    net["h2"].say("cl 1")
    wait_for_state(net["h2"], 1, "FIN_WAIT_2")
    wait_for_state(net["h1"], 0, "CLOSE_WAIT")
    net["h1"].say("cl 0")
    net["h1"].expect("Socket 0 closed$")
    net["h2"].expect("Socket 1 closed$")
    assert len(net["h1"].ask("ls")) == 1
    assert len(net["h2"].ask("ls")) == 2
    assert net["h1"].ask("cl 0") == ["socket not found"]


def test_close_in_time_wait(net):
    connect(net)
    net["h1"].say("cl 0")
    wait_for_state(net["h2"], 1, "CLOSE_WAIT")
    net["h2"].say("cl 1")
    net["h2"].expect("Socket 1 closed$")
    answer = net["h1"].ask("cl 0")
    assert answer in (["error: connection closing"], ["socket not found"],
                      ["Socket 0 closed", "socket not found"])
    wait_for_state(net["h1"], 0, None)


def test_close_listener(net):
    connect(net)
    assert "Socket 0 closed" in net["h2"].ask("cl 0")
    assert state(net["h2"], 0) is None
    assert state(net["h2"], 1) == "ESTABLISHED"
    assert net["h2"].ask("cl 0") == ["socket not found"]
    assert net["h2"].ask("a 9999") == ["Created listen socket with ID 2"]
    net["h1"].say("s 0 lives")
    net["h2"].say("r 1 5")
    net["h2"].expect("Read 5 bytes: lives$")


def test_close_without_peer(net):
    """FIN_WAIT_1 and LAST_ACK are where a close stays if the peer is gone."""
    connect(net)
    net["r1"].ask("drop 1")
    net["h1"].say("cl 0")
    wait_for_state(net["h1"], 0, "FIN_WAIT_1")
    assert net["h1"].ask("cl 0") == ["error: connection closing"]
    net["r1"].ask("drop 0")
    wait_for_state(net["h1"], 0, "FIN_WAIT_2", 30)
    net["r1"].ask("drop 1")
    net["h2"].say("cl 1")
    wait_for_state(net["h2"], 1, "LAST_ACK")
    assert net["h2"].ask("cl 1") == ["error: connection closing"]
    net["r1"].ask("drop 0")
    net["h2"].expect("Socket 1 closed$", 30)
    net["h1"].expect("Socket 0 closed$", 30)


def test_simultaneous_close(net):
    connect(net)
    net["r1"].ask("drop 1")
    net["h1"].say("cl 0")
    net["h2"].say("cl 1")
    wait_for_state(net["h1"], 0, "FIN_WAIT_1")
    wait_for_state(net["h2"], 1, "FIN_WAIT_1")
    net["r1"].ask("drop 0")
    net["h1"].expect("Socket 0 closed$", 30)
    net["h2"].expect("Socket 1 closed$", 30)


def test_refused(net):
    assert net["h1"].ask("c 10.1.0.2 1") == ["VConnect error: destination port does not exist"]
    assert len(net["h1"].ask("ls")) == 1
    net["h2"].ask("a 1")
    net["h1"].say("c 10.1.0.2 1")
    net["h1"].expect("Created new socket with ID 1$")  # SIDs are not used twice


def test_unreachable_times_out():
    with nodes.Network("linear-r1h2", flags=["--retries", "1"], skip=["h2"]) as net:
        net["h1"].say("c 10.1.0.2 9999")
        net["h1"].expect("VConnect error: ", 30)


def test_writing_after_the_peers_close(net):
    connect(net)
    net["h2"].ask("s 1 unread")
    net["h1"].ask("cl 0")
    wait_for_state(net["h2"], 1, "CLOSE_WAIT")
    assert net["h2"].ask("s 1 back") == ["Wrote 4 bytes"]
    assert state(net["h2"], 1) == "CLOSE_WAIT"
    assert state(net["h1"], 0) == "FIN_WAIT_2"
    net["h2"].say("cl 1")
    net["h2"].expect("Socket 1 closed$")
    net["h1"].expect("Socket 0 closed$")


def test_port_in_use(net):
    net["h2"].ask("a 80")
    assert net["h2"].ask("a 80") == ["VAccept error: port already in use"]
    assert net["h2"].ask("rf /dev/null 80") == ["recvfile error: port already in use"]


def test_reset_by_exit(net):
    connect(net)
    net["h1"].say("s 0 x", "r 0 10")
    net["h2"].say("r 1 1", "exit")
    net["h2"].expect("Exiting...$")
    assert net["h2"].wait() == 0
    net["h1"].expect("VRead error: connection reset by peer$")
    net["h1"].expect("Socket 0 closed$")


def test_many_connections(net):
    net["h2"].ask("a 7")
    for count in range(50):
        net["h1"].say("c 10.1.0.2 7")
        net["h1"].expect(f"Created new socket with ID {count}$")
        net["h2"].expect(f"New connection on socket 0 => created new socket {count + 1}$")
    assert len(net["h2"].ask("ls")) == 52
    for count in range(50):
        net["h1"].say(f"s {count} message {count}", f"cl {count}")
    for count in range(50):
        net["h2"].say(f"r {count + 1} 100 y")
        net["h2"].expect(f"Read {8 + len(str(count))} bytes: message {count}$")
        net["h2"].say(f"cl {count + 1}")
        net["h2"].expect(f"Socket {count + 1} closed$")


def test_connection_to_self(net):
    net["h1"].ask("a 5")
    net["h1"].say("c 10.0.0.1 5")
    net["h1"].expect("Created new socket with ID 1$|New connection on socket 0")
    net["h1"].say("s 1 to myself", "r 2 100")
    net["h1"].expect("Read 9 bytes: to myself$")


def test_blocked_write_goes_on(net):
    """More than both buffers hold: `s` blocks until the other side reads."""
    connect(net)
    data = "x" * 200_000
    net["h1"].say(f"s 0 {data}")
    for _ in range(4):
        net["h2"].say("r 1 50000 y")
        net["h2"].expect("Read 50000 bytes: x+$", 30)
    net["h1"].expect("Wrote 200000 bytes$", 30)


def test_info_and_stats(net):
    connect(net)
    net["h1"].ask("s 0 hello")
    net["h2"].ask("r 1 5")
    rows = net["h1"].ask("info 0")
    assert re.match(r"Socket 0: ESTABLISHED, 10.0.0.1:\d+ to 10.1.0.2:9999$", rows[0])
    text = "\n".join(rows)
    for name in ("rtt", "rto", "cwnd", "retransmissions", "send", "receive", "sending"):
        assert re.search(rf"^  {name} ", text, re.M), name
    assert re.search(r"^  sending +idle ", text, re.M)
    text = "\n".join(net["h1"].ask("stats"))
    assert re.search(r"^  active-opens +1$", text, re.M)
