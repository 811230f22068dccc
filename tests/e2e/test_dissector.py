# SPDX-License-Identifier: MIT
"""share/wireshark/weir.lua: RIP and test packets of a real network, and messages that are broken."""

import pathlib
import struct

import nodes
from captures import needs_tshark, tshark

pytestmark = needs_tshark
LUA = ["-X", f"lua_script:{pathlib.Path(__file__).parents[2] / 'share/wireshark/weir.lua'}"]


def block(kind, body):
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def write_capture(path, packets):
    """Raw IPv4 packets of protocol 200 (or another) in a pcapng file."""
    content = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    content += block(1, struct.pack("<HHI", 101, 0, 0))
    for protocol, payload in packets:
        packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 16, protocol, 0,
                             bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])) + payload
        content += block(6, struct.pack("<IIIII", 0, 0, 0, len(packet), len(packet)) + packet +
                         b"\0" * (-len(packet) % 4))
    path.write_bytes(content)


def fields(path, condition, *names):
    options = ["-T", "fields", "-E", "separator=;"]
    for name in names:
        options += ["-e", name]
    return [line.split(";") for line in tshark(path, *LUA, "-Y", condition, *options)]


def entry(cost, address, mask):
    return struct.pack(">I4B4B", cost, *address, *mask)


def test_of_a_network(tmp_path):
    path = tmp_path / "r1.pcapng"
    with nodes.Network("linear-r2h2", skip=["r1"]) as net:
        node = nodes.Node("r1", "router", net.lnx["r1"], ["--capture", str(path)])
        net.nodes["r1"] = node
        net.wait_for_path("h1", "h2")
        node.say("exit")
        assert node.wait() == 0
    assert not tshark(path, *LUA, "-Y", "brownrip && _ws.expert.severity >= warning")
    found = fields(path, "brownrip", "brownrip.command", "brownrip.count", "brownrip.address",
                   "_ws.col.Protocol", "_ws.col.Info")
    assert [row[0] for row in found if row[0] == "1"]
    responses = [row for row in found if row[0] == "2"]
    assert responses
    for _, count, addresses, protocol, info in responses:
        assert protocol == "RIP"
        assert info == f"Response, {count} entr{'y' if count == '1' else 'ies'}"
        assert len([text for text in addresses.split(",") if text]) == int(count)
    assert any("10.2.0.0" in row[2] or "10.0.0.0" in row[2] for row in responses)
    texts = fields(path, "browntest", "browntest.text", "_ws.col.Info")
    assert texts and texts[0][0].startswith("path-")
    assert texts[0][1] == f"Test packet: {texts[0][0]}"


GOOD = entry(3, (10, 1, 0, 0), (255, 255, 255, 0))


MESSAGES = [
    (struct.pack(">HH", 2, 1) + GOOD, None),
    (struct.pack(">HH", 1, 0), None),
    (struct.pack(">HH", 3, 0), "bad_command"),
    (struct.pack(">HH", 2, 65) + 65 * GOOD, "bad_count"),
    (struct.pack(">HH", 2, 2) + GOOD, "bad_length"),
    (struct.pack(">HH", 2, 1) + GOOD + b"x", "bad_length"),
    (struct.pack(">HH", 2, 1) + entry(1, (10, 0, 0, 0), (255, 0, 255, 0)), "bad_mask"),
    (struct.pack(">HH", 2, 1) + entry(17, (10, 0, 0, 0), (255, 0, 0, 0)), "bad_cost"),
    (struct.pack(">HH", 2, 1) + entry(16, (10, 0, 0, 0), (255, 0, 0, 0)), "infinite"),
    (struct.pack(">HH", 2, 1) + entry(1, (0, 0, 0, 0), (0, 0, 0, 0)), None),
    (struct.pack(">HH", 2, 1) + entry(1, (1, 2, 3, 4), (255, 255, 255, 255)), None),
]


def test_messages(tmp_path):
    path = tmp_path / "messages.pcapng"
    write_capture(path, [(200, payload) for payload, _ in MESSAGES])
    names = ["bad_command", "bad_count", "bad_length", "bad_mask", "bad_cost", "infinite"]
    rows = fields(path, "brownrip", "brownrip.command", *[f"brownrip.{name}" for name in names],
                  "_ws.lua.error")
    assert len(rows) == len(MESSAGES)
    for (payload, expert), (command, *found, error) in zip(MESSAGES, rows):
        assert int(command) == payload[1] and not error
        assert [name for name, text in zip(names, found) if text] == ([expert] if expert else [])


def test_too_short(tmp_path):
    path = tmp_path / "short.pcapng"
    write_capture(path, [(200, b"\0\2\0"[:length]) for length in range(4)])
    assert len(fields(path, "ip && !brownrip.command && !_ws.lua.error", "ip.proto")) == 4


def test_prefixes(tmp_path):
    path = tmp_path / "prefixes.pcapng"
    rows = b"".join(entry(1, (10, 0, 0, 0), ((0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF) >> shift & 255
                                             for shift in (24, 16, 8, 0))) for bits in range(33))
    write_capture(path, [(200, struct.pack(">HH", 2, 33) + rows)])
    text = "\n".join(tshark(path, *LUA, "-V"))
    for bits in range(33):
        assert f"10.0.0.0/{bits}, cost 1" in text


def test_links_in_datagrams(tmp_path):
    """A capture of the real interface: UDP with an IP packet inside."""
    path = tmp_path / "links.pcapng"
    inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 24 + len(GOOD), 0, 0, 16, 200, 0,
                        bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])) + struct.pack(">HH", 2, 1) + GOOD
    datagram = struct.pack(">HHHH", 5000, 5001, 8 + len(inner), 0) + inner
    write_capture(path, [(17, datagram)])
    assert not tshark(path, *LUA, "-Y", "brownrip")
    assert len(tshark(path, *LUA, "-d", "udp.port==5001,weirlink", "-Y", "brownrip")) == 1
    assert len(tshark(path, *LUA, "-o", "weirlink.guess:TRUE", "-Y", "brownrip")) == 1
