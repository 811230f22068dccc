# SPDX-License-Identifier: MIT
"""RIP on the network with a detour: a failed link is routed around, and taken again when it is
back. Timers are shortened with the lnx file's own lines."""

import time

import nodes

FAST = ["--rip-update-ms", 200, "--rip-timeout-ms", 700]


def hop(router, prefix):
    """(next hop, cost) of a prefix at a router; None without a route."""
    for line in router.ask("lr"):
        words = line.split()
        if words[1:2] == [prefix] and words[0] in "LRS":
            return words[2], words[3]
    return None


def wait_for_hop(router, prefix, wanted, limit=15):
    deadline = time.monotonic() + limit * nodes.SLOW
    while (found := hop(router, prefix)) != wanted:
        assert time.monotonic() < deadline, f"{prefix} is at {found}, not {wanted}"
        try:  # nothing says this line: a wait that ends early only if the node does
            router.expect("no such line", 0.05 / nodes.SLOW)
        except nodes.Timeout:
            assert not router.ended


def test_failure_and_recovery():
    with nodes.Network("loop", nets_options=FAST) as net:
        r1 = net["r1"]
        wait_for_hop(r1, "10.3.0.0/24", ("10.1.0.2", "2"))
        net.wait_for_path("h1", "h2")
        net["r2"].ask("down if0")
        net["r2"].ask("down if1")
        wait_for_hop(r1, "10.3.0.0/24", ("10.4.0.2", "3"))
        net.wait_for_path("h1", "h2")
        net.wait_for_path("h2", "h1")
        net["r2"].ask("up if0")
        net["r2"].ask("up if1")
        wait_for_hop(r1, "10.3.0.0/24", ("10.1.0.2", "2"))
        net.wait_for_path("h1", "h2")


def test_dead_router_and_return():
    with nodes.Network("loop", nets_options=FAST) as net:
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
        net["r2"].kill()
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.4.0.2", "3"))
        net.wait_for_path("h1", "h2")
        net.start_node("r2")
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
        net.wait_for_path("h1", "h2")


def test_route_expires():
    with nodes.Network("linear-r3h2", nets_options=FAST) as net:
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
        net["r3"].kill()
        wait_for_hop(net["r1"], "10.3.0.0/24", None)
        wait_for_hop(net["r1"], "10.2.0.0/24", ("10.1.0.2", "1"))


def test_transfer_survives_reroute(make_file, same_file, tmp_path):
    with nodes.Network("loop", nets_options=FAST + ["--impair", "rate_mbit=20"]) as net:
        wait_for_hop(net["r1"], "10.3.0.0/24", ("10.1.0.2", "2"))
        wait_for_hop(net["r3"], "10.0.0.0/24", ("10.2.0.1", "2"))
        source, target = make_file(2_000_000), tmp_path / "received.bin"
        net["h2"].say(f"rf {target} 9999")
        net["h2"].sync()
        net["h1"].say(f"sf {source} {net.address('h2')} 9999")
        net["h2"].expect("recvfile: client connected!")
        net["r2"].ask("down if0")
        net["r2"].ask("down if1")
        net["h2"].expect(r"recvfile done:  read 2000000 bytes total$", 60)
        net["h1"].expect(r"Sent 2000000 total bytes$", 30)
        same_file(source, target)
