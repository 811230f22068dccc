# SPDX-License-Identifier: MIT
"""Every network of nets/: all hosts reach each other once RIP has converged, and the lists are
right, word for word."""

import itertools

import nodes
import pytest

NETWORKS = ["linear-r1h2", "linear-r1h4", "linear-r2h2", "linear-r3h2", "doc-example", "loop",
            "star-r1h6", "ring-r4h2", "lan-r1h8"]


@pytest.mark.parametrize("name", NETWORKS)
def test_all_pairs(name):
    with nodes.Network(name) as net:
        hosts = net.hosts()
        for source, target in itertools.permutations(hosts, 2):
            net.wait_for_path(source, target)
        for source, target in itertools.permutations(hosts, 2):
            word = f"from {source} to {target}"
            net[source].say(f"send {net.address(target)} {word}")
            net[source].expect(rf"Sent {20 + len(word)} bytes$")
            net[target].expect(rf"Received test packet: Src: {net.address(source)}, "
                               rf"Dst: {net.address(target)}, TTL:  \d+, Data:  {word}$")


def test_lists_of_host():
    with nodes.Network("linear-r1h2") as net:
        port = net.base_port
        assert net["h1"].ask("li") == ["Name  Addr/Prefix State",
                                       " if0  10.0.0.1/24   up"]
        assert net["h1"].ask("ln") == ["Iface          VIP          UDPAddr",
                                       f" if0     10.0.0.2  127.0.0.1:{port + 1}"]
        assert net["h1"].ask("lr") == ["T       Prefix   Next hop Cost",
                                       "L  10.0.0.0/24  LOCAL:if0    0",
                                       "S    0.0.0.0/0   10.0.0.2    -"]
        assert net["h1"].ask("ls") == ["SID      LAddr LPort      RAddr RPort       Status"]


def test_routes_of_router():
    with nodes.Network("linear-r3h2") as net:
        net.wait_for_path("h1", "h2")
        net.wait_for_path("h2", "h1")
        rows = net["r1"].ask("lr")
        assert rows[0] == "T       Prefix   Next hop Cost"
        assert sorted(rows[1:]) == ["L  10.0.0.0/24  LOCAL:if0    0",
                                    "L  10.1.0.0/24  LOCAL:if1    0",
                                    "R  10.2.0.0/24   10.1.0.2    1",
                                    "R  10.3.0.0/24   10.1.0.2    2"]


def test_down_and_up():
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        assert net["h1"].ask("down if0") == []
        assert net["h1"].ask("li")[1] == " if0  10.0.0.1/24 down"
        assert net["h1"].ask("ln") == ["Iface          VIP          UDPAddr"]
        assert net["h1"].ask("send 10.1.0.2 lost")[0] == "Sent 0 bytes"
        assert net["h1"].ask("up if0") == []
        assert net["h1"].ask("li")[1] == " if0  10.0.0.1/24   up"
        net.wait_for_path("h1", "h2")
        # What is sent to a down interface is discarded, not queued until it is up again.
        net["h2"].ask("down if0")
        net["h1"].ask("send 10.1.0.2 lost")
        net["h1"].say("send 10.0.0.2 fence")
        net["r1"].expect("Received test packet: .* fence$")
        net["h2"].ask("up if0")
        net.wait_for_path("h1", "h2")
        assert not [line for line in net["h2"].lines if line.endswith("lost")]


def test_send_to_self():
    with nodes.Network("linear-r1h2") as net:
        net["h1"].say("send 10.0.0.1  two  blanks ")
        net["h1"].expect(r"Received test packet: Src: 10.0.0.1, Dst: 10.0.0.1, TTL:  \d+, "
                         r"Data:   two  blanks$")


def test_send_without_route():
    with nodes.Network("linear-r1h2") as net:
        assert net["r1"].ask("send 99.0.0.1 hello") == [
            "Sent 0 bytes", "Error during send:   No match found in forwarding table"]


def test_drop_rate():
    with nodes.Network("linear-r1h2") as net:
        net.wait_for_path("h1", "h2")
        assert net["r1"].ask("drop 1") == []
        net["h1"].ask("send 10.1.0.2 lost")
        net["h1"].say("send 10.0.0.2 fence")
        net["r1"].expect("Received test packet: .* fence$")
        assert net["r1"].ask("drop 0") == []
        net["h1"].say("send 10.1.0.2 found")
        net["h2"].expect("Received test packet: .* found$")
        assert not [line for line in net["h2"].lines if line.endswith("lost")]
        assert any("drop-rate" in line for line in net["r1"].ask("stats"))


def test_drop_flag():
    with nodes.Network("linear-r1h2", router_flags=["-drop", "1", "-drop-rate-seed=7"]) as net:
        net["h1"].ask("send 10.1.0.2 lost")
        net["h1"].say("send 10.0.0.2 fence")
        net["r1"].expect("Received test packet: .* fence$")
        net["r1"].ask("drop 0")
        net.wait_for_path("h1", "h2")
        assert not [line for line in net["h2"].lines if line.endswith("lost")]


def test_ping_and_traceroute():
    with nodes.Network("linear-r2h2") as net:
        net.wait_for_path("h1", "h2")
        net.wait_for_path("h2", "h1")
        net["h1"].say("ping 10.2.0.2 2")
        net["h1"].expect(r"56 bytes from 10.2.0.2: seq=1 ttl=\d+ time=[\d.]+ ms$")
        net["h1"].expect(r"2 sent, 2 received, 0% lost$")
        net["h1"].expect(r"round trip min/avg/max = [\d./]+ ms$")
        net["h1"].say("traceroute 10.2.0.2")
        net["h1"].expect(r" 1  10.0.0.2( +[\d.]+ ms){3}$")
        net["h1"].expect(r" 2  10.1.0.2( +[\d.]+ ms){3}$")
        net["h1"].expect(r" 3  10.2.0.2( +[\d.]+ ms){3}$")
