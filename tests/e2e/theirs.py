#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Somebody else's router, for labs: knows `--config FILE` and no other flag (one it does not know ends
it), reads nothing but the directives of an lnx file, forwards between its interfaces, and answers
`li` on standard input. No RIP: it stands where every network is next to it."""

import ipaddress
import re
import select
import socket
import struct
import sys

USAGE = "Usage: theirs --config FILE"


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Router:
    def __init__(self, text):
        self.ifaces, self.neighbours = [], {}
        for name, address, bits, port in re.findall(
                r"^interface (\S+) ([\d.]+)/(\d+) 127.0.0.1:(\d+)", text, re.M):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind(("127.0.0.1", int(port)))
            self.ifaces.append((name, ipaddress.ip_interface(f"{address}/{bits}"), sock))
        for address, port, name in re.findall(
                r"^neighbor (\S+) at 127.0.0.1:(\d+) via (\S+)", text, re.M):
            sock = next(iface[2] for iface in self.ifaces if iface[0] == name)
            self.neighbours[ipaddress.ip_address(address).packed] = (sock, int(port))

    def forward(self, packet):
        to = self.neighbours.get(packet[16:20])
        if not to or packet[8] <= 1:
            return
        header = bytearray(packet[:20])
        header[8] -= 1
        header[10:12] = b"\0\0"
        header[10:12] = struct.pack(">H", checksum(bytes(header)))
        to[0].sendto(bytes(header) + packet[20:], ("127.0.0.1", to[1]))

    def run(self):
        sockets = [iface[2] for iface in self.ifaces]
        while True:
            for ready in select.select(sockets + [sys.stdin], [], [])[0]:
                if ready is not sys.stdin:
                    self.forward(ready.recv(65536))
                elif not self.command(sys.stdin.readline()):
                    return

    def command(self, line):
        if line.strip() == "li":
            for name, address, _ in self.ifaces:
                print(f"{name} {address} theirs", flush=True)
        return line and line.strip() != "exit"


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "--config":
        sys.exit(USAGE)
    with open(sys.argv[2], encoding="utf-8") as file:
        Router(file.read()).run()


if __name__ == "__main__":
    main()
