# SPDX-License-Identifier: MIT
"""A stand-in for the course's reference router of 2023, run by peer_loop.Loop: it forwards between
its interfaces, takes datagrams from any UDP source, sends no ICMP, turns TTL 0 into 255, fills
packets that are too short with zeros, and speaks RIP with that program's habits: the request and
the full table at the start, poisoned reverse, own networks at cost 0, no ear for cost 16."""

import ipaddress
import re
import struct
import time

from peer_loop import NEVER, datagrams, udp_socket
from rawpeer import checksum, ip_packet

INFINITY = 16


class Route:
    def __init__(self, cost, via, expires):
        self.cost, self.via, self.expires = cost, via, expires


class Router:
    """Made from an lnx file; its times are given here."""

    def __init__(self, path, interval=5.0, timeout=12.0):
        text = path.read_text()
        self.interval, self.timeout = interval, timeout
        self.own, self.ports, self.neighbours = {}, {}, {}
        for name, address, bits, port in re.findall(
                r"^interface (\S+) ([\d.]+)/(\d+) \S+:(\d+)", text, re.M):
            network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
            self.own[name] = (ipaddress.ip_address(address), network, udp_socket(int(port)))
        for address, port, name in re.findall(
                r"^neighbor (\S+) at \S+:(\d+) via (\S+)", text, re.M):
            self.neighbours[ipaddress.ip_address(address)] = (name, ("127.0.0.1", int(port)))
        self.peers = [ipaddress.ip_address(address) for address in
                      re.findall(r"^rip advertise-to (\S+)", text, re.M)]
        self.sockets = [sock for _, _, sock in self.own.values()]
        self.routes, self.next_update, self.forwarded = {}, NEVER, 0

    def __repr__(self):
        return f"<router {self.table()}>"

    def table(self):
        """{network: (next hop, cost)} of what it has learned."""
        return {str(network): (str(route.via), route.cost)
                for network, route in self.routes.items()}

    def start(self, now):
        for peer in self.peers:
            self.send_rip(peer, 1, [])
        self.update(now)

    def close(self):
        for sock in self.sockets:
            sock.close()

    # ---- Forwarding

    def readable(self, sock):
        for _, source, packet in datagrams(sock):
            if len(packet) >= 20 and not checksum(packet[:(packet[0] & 15) * 4]):
                self.input(packet, source, sock)

    def input(self, packet, udp_source, sock):
        total = struct.unpack("!H", packet[2:4])[0]
        packet = packet[:total].ljust(total, b"\0")
        ttl = (packet[8] - 1) & 255
        source, target = (ipaddress.ip_address(packet[at:at + 4]) for at in (12, 16))
        if ttl == 0:
            return
        if any(target == address for address, _, _ in self.own.values()):
            if packet[9] == 200:
                self.input_rip(packet[(packet[0] & 15) * 4:], source, udp_source, sock)
            return
        head = bytearray(packet[:(packet[0] & 15) * 4])
        head[8], head[10:12] = ttl, b"\0\0"
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        self.forwarded += 1
        self.send(target, bytes(head) + packet[len(head):])

    def send(self, target, packet):
        if not any(target in network for _, network, _ in self.own.values()):
            networks = [network for network in self.routes if target in network]
            if not networks:
                return
            target = self.routes[max(networks, key=lambda network: network.prefixlen)].via
        if target in self.neighbours:
            name, to = self.neighbours[target]
            self.own[name][2].sendto(packet, to)

    # ---- RIP

    def deadline(self):
        return min([self.next_update, *(route.expires for route in self.routes.values())])

    def expire(self, now):
        late = {network: INFINITY for network, route in self.routes.items()
                if route.expires <= now}
        for network in late:
            del self.routes[network]
        if late:
            self.tell_all(late)
        if self.next_update <= now:
            self.update(now)

    def update(self, now):
        self.next_update = now + self.interval
        costs = {network: route.cost for network, route in self.routes.items()}
        costs.update({network: 0 for _, network, _ in self.own.values()})
        self.tell_all(costs)

    def tell_all(self, costs):
        for peer in self.peers:
            self.tell(peer, costs)

    def tell(self, peer, costs):
        entries = []
        for network, cost in costs.items():
            route = self.routes.get(network)
            entries.append((INFINITY if route and route.via == peer else cost, network))
        self.send_rip(peer, 2, entries)

    def rip_packet(self, name, peer, command, entries):
        payload = struct.pack("!HH", command, len(entries))
        for cost, network in entries:
            payload += struct.pack("!III", cost, int(network.network_address),
                                   int(network.netmask))
        return ip_packet(str(self.own[name][0]), str(peer), 200, payload, ttl=32)

    def send_rip(self, peer, command, entries):
        name, to = self.neighbours[peer]
        self.own[name][2].sendto(self.rip_packet(name, peer, command, entries), to)

    def input_rip(self, payload, source, udp_source, sock):
        command, count = struct.unpack("!HH", payload[:4])
        if command == 1:
            costs = [(INFINITY if route.via == source else route.cost, network)
                     for network, route in self.routes.items()]
            costs += [(0, network) for _, network, _ in self.own.values()]
            name = next(name for name, own in self.own.items() if own[2] is sock)
            sock.sendto(self.rip_packet(name, source, 2, costs), udp_source)
            return
        changes = {}
        for index in range(count):
            cost, address, mask = struct.unpack("!III", payload[4 + 12 * index:16 + 12 * index])
            network = ipaddress.ip_network((address, str(ipaddress.ip_address(mask))))
            if self.learn(network, cost + 1, source):
                changes[network] = cost + 1
        if changes:
            self.tell_all(changes)

    def learn(self, network, cost, source):
        """True if the table changed."""
        route = self.routes.get(network)
        if cost >= INFINITY or any(network == own for _, own, _ in self.own.values()):
            return False
        if route and route.via != source and cost >= route.cost:
            return False
        changed = not route or (route.cost, route.via) != (cost, source)
        self.routes[network] = Route(cost, source, time.monotonic() + self.timeout)
        return changed
