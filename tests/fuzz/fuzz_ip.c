/* SPDX-License-Identifier: MIT */

/* A router under raw packets: two interfaces, static routes, RIP, fragments, sockets of each kind.
 *
 * The input is a stream of packets, each behind four bytes: where it arrives and how it is treated,
 * what becomes of its header, and its length. In 15 of 16 cases the checksums are made right, since
 * no fuzzer finds them; in most, version, total length and addresses are mended as well, so that
 * forwarding, reassembly and the transports are reached. Time passes between packets as asked.
 *
 * Whatever leaves must be a packet whose header parses and has a right checksum, which fits the link
 * and is not older than its TTL. The stack's own invariants are checked after each packet, polling must
 * come to rest, and all memory must come back.
 */

#include "fuzz.h"
#include <weir/inspect.h>
#include <weir/links.h>
#include <wire/ip4.h>

#define IFACES 2
#define PACKET_MAX 3000u
#define QUEUE 64u

struct world {
    struct reader in;
    struct ledger ledger;
    struct weir_stack *stack;
    struct weir_hub *hubs[IFACES];
    weir_time now;
    int raw, echo, listener, udp[2]; /* on any address; connected */
    bool is_lenient; /* header checksums are not verified: wrong ones are forwarded */
};

static const uint32_t mtus[IFACES] = {1400, 576};

/* Addresses that lead somewhere: ours, neighbours, behind routes, nowhere, groups. */
static const uint32_t addresses[16] = {
    0x0a000001, 0x0a000101, 0x0a000002, 0x0a000102, 0x0a0000ff, 0x0a0001ff, 0x0a010005, 0x0a020005,
    0x0a630001, 0xffffffff, 0xe0000009, 0x7f000001, 0x00000000, 0x0a000000, 0x0a000063, 0xc0a80001,
};

static void must(int result)
{
    FUZZ_CHECK(result >= 0, "%s", weir_strerror(result));
}

static void add_route(struct weir_stack *stack, uint32_t network, uint32_t next_hop)
{
    struct weir_prefix prefix = weir_prefix_from4(network, 16);
    struct weir_addr hop = weir_addr_from4(next_hop);

    must(weir_stack_add_route(stack, &prefix, &hop));
}

static void add_ifaces(struct world *world)
{
    static const char *const names[IFACES] = {"if0", "if1"};
    struct weir_addr addr;
    struct weir_prefix prefix;
    int i;

    for (i = 0; i < IFACES; i++) {
        addr = weir_addr_from4(0x0a000001u + (uint32_t)i * 256);
        prefix = weir_prefix_from4(0x0a000000u + (uint32_t)i * 256, 24);
        world->hubs[i] = weir_hub_create(2, mtus[i], QUEUE);
        FUZZ_CHECK(world->hubs[i], "no memory");
        must(weir_stack_add_iface(world->stack, names[i], weir_hub_port(world->hubs[i], 0), &addr,
                                  &prefix, false));
    }
    addr = weir_addr_from4(0x0a000002);
    must(weir_stack_add_neighbour(world->stack, 0, &addr, 2));
    add_route(world->stack, 0x0a010000, 0x0a000002);
    add_route(world->stack, 0x0a020000, 0x0a000102);
}

static void open_sockets(struct world *world)
{
    const struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    const struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 53};

    world->raw = weir_socket_open(world->stack, WEIR_RAW, 0);
    world->echo = weir_socket_open(world->stack, WEIR_ECHO, 0);
    world->listener = weir_socket_open(world->stack, WEIR_TCP, 0);
    must(world->raw);
    must(world->echo);
    must(weir_socket_bind(world->stack, world->listener, &local));
    must(weir_socket_listen(world->stack, world->listener, 4));
    for (int i = 0; i < 2; i++) {
        world->udp[i] = weir_socket_open(world->stack, WEIR_UDP, 0);
        must(world->udp[i]);
    }
    must(weir_socket_bind(world->stack, world->udp[0], &local));
    must(weir_socket_set(world->stack, world->udp[0], WEIR_IP_RECVERR, 1));
    must(weir_socket_connect(world->stack, world->udp[1], &remote, world->now));
}

static void create(struct world *world, uint8_t options)
{
    const struct weir_addr neighbour = weir_addr_from4(0x0a000002);
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    config.allocator = ledger_allocator(&world->ledger);
    config.forwarding = !(options & 1);
    config.skip_ip_checksum = world->is_lenient = options & 2;
    config.memory_budget = options & 4 ? 96u << 10 : 0;
    config.reassembly_budget = options & 8 ? 8192 : 0;
    world->stack = weir_stack_create(&config);
    FUZZ_CHECK(world->stack, "no memory");
    add_ifaces(world);
    open_sockets(world);
    if (options & 16)
        must(weir_stack_start_rip(world->stack, NULL, &neighbour, 1));
    if (options & 32)
        must(weir_stack_set_drop_rate(world->stack, 0.25, 7));
}

/* A router looks no deeper than the IP header, so neither may this. */
static void check_packet(const struct world *world, const struct weir_frame *frame, uint32_t mtu)
{
    struct ip4_header header;

    FUZZ_CHECK(frame->length <= mtu, "%u bytes on a link of %u", frame->length, mtu);
    FUZZ_CHECK(ip4_parse(frame->data, frame->length, &header) == WEIR_DROP_NONE,
               "sent %u bytes that do not parse", frame->length);
    FUZZ_CHECK(header.total_length == frame->length, "%u of %u", header.total_length,
               frame->length);
    FUZZ_CHECK(world->is_lenient || ip4_checksum_ok(frame->data, header.header_length),
               "wrong header checksum");
    FUZZ_CHECK(header.ttl > 0, "the TTL is over");
}

static bool drain(struct world *world, int iface)
{
    struct weir_link *mine = weir_hub_port(world->hubs[iface], 0);
    struct weir_link *theirs = weir_hub_port(world->hubs[iface], 1);
    struct weir_frame frames[16];
    int count, i;

    while ((count = theirs->ops->receive(theirs, frames, 16, world->now)) > 0)
        for (i = 0; i < count; i++)
            check_packet(world, &frames[i], mtus[iface]);
    if (!mine->refused || !mine->ops->ready(mine, world->now))
        return false;
    mine->refused = false;
    weir_stack_link_ready(world->stack, iface);
    return true;
}

static void read_sockets(struct world *world)
{
    struct weir_datagram from;
    uint8_t bytes[64];
    int socket;

    while (weir_socket_recvfrom(world->stack, world->raw, bytes, sizeof bytes, &from) >= 0)
        ;
    while (weir_socket_recvfrom(world->stack, world->echo, bytes, sizeof bytes, &from) >= 0)
        ;
    while (weir_socket_recvfrom(world->stack, world->udp[0], bytes, sizeof bytes, &from) >= 0)
        if (!from.icmp_type) /* an echo server; its answers may fail as they like */
            weir_socket_sendto(world->stack, world->udp[0], bytes, sizeof bytes, &from);
    weir_socket_recvfrom(world->stack, world->udp[1], bytes, sizeof bytes, &from);
    weir_socket_recvfrom(world->stack, world->udp[1], bytes, sizeof bytes, &from);
    while ((socket = weir_socket_accept(world->stack, world->listener, NULL)) >= 0)
        weir_socket_close(world->stack, socket);
}

static void settle(struct world *world)
{
    struct weir_event event;
    const char *broken;
    bool again = true;
    unsigned rounds;

    for (rounds = 0; again; rounds++) {
        FUZZ_CHECK(rounds < 10000, "polling never comes to rest");
        again = weir_stack_poll(world->stack, world->now, 16);
        again |= drain(world, 0);
        again |= drain(world, 1);
        while (weir_stack_next_event(world->stack, &event))
            again = true;
        read_sockets(world);
    }
    broken = weir_inspect_check(world->stack, world->now);
    FUZZ_CHECK(!broken, "%s", broken);
    FUZZ_CHECK(weir_stack_deadline(world->stack) > world->now, "the deadline is past");
}

static void pass_time(struct world *world, weir_time duration)
{
    weir_time target = world->now + duration;
    unsigned steps;

    for (steps = 0; weir_stack_deadline(world->stack) <= target && steps < 200; steps++) {
        if (weir_stack_deadline(world->stack) > world->now)
            world->now = weir_stack_deadline(world->stack);
        settle(world);
    }
    world->now = target;
    settle(world);
}

static void put_addr(uint8_t *bytes, uint32_t addr)
{
    unsigned i;

    for (i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(addr >> (24 - 8 * i));
}

/* What protocols are mended to. */
static const uint8_t protocols[8] = {0, 1, 6, 200, 17, 1, 6, 17};

/* Makes more of the header right, as the bits of `mend` say. */
static void mend_header(uint8_t *bytes, size_t length, uint8_t mend, uint8_t ends)
{
    if (length < 20)
        return;
    if (mend & 1) {
        bytes[0] = (uint8_t)(4u << 4 | (mend & 2 ? 5u : bytes[0] & 15u));
        bytes[2] = (uint8_t)(length >> 8);
        bytes[3] = (uint8_t)length;
    }
    if (mend & 4)
        put_addr(bytes + 12, addresses[ends & 15]);
    if (mend & 8)
        put_addr(bytes + 16, addresses[ends >> 4]);
    if (mend & 16)
        bytes[6] = bytes[7] = 0;
    if (mend & 32)
        bytes[9] = protocols[bytes[9] % 8];
}

static void step(struct world *world)
{
    static const weir_time pauses[8] = {
        0, 0, 0, WEIR_MS, WEIR_SECOND, 31 * WEIR_SECOND, WEIR_SECOND, 300 * WEIR_SECOND};
    uint8_t how = read_u8(&world->in), mend = read_u8(&world->in), ends = read_u8(&world->in);
    uint8_t size = read_u8(&world->in), *packet;
    const uint8_t *bytes;
    size_t length;

    bytes = read_span(&world->in, size < 192 ? size : (size - 191u) * 40u, &length);
    if (length > PACKET_MAX)
        length = PACKET_MAX;
    packet = exact_copy(bytes, length);
    mend_header(packet, length, mend, ends);
    if (how & 15)
        fix_checksums(packet, length);
    feed(world->stack, how >> 4 & 1, packet, length, world->now);
    free(packet);
    settle(world);
    pass_time(world, pauses[how >> 5]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.in = {.data = data, .left = size}, .now = WEIR_SECOND};
    unsigned i;

    create(&world, read_u8(&world.in));
    while (world.in.left)
        step(&world);
    weir_stack_destroy(world.stack);
    FUZZ_CHECK(world.ledger.blocks == 0, "%zu blocks leak", world.ledger.blocks);
    for (i = 0; i < IFACES; i++)
        weir_hub_destroy(world.hubs[i]);
    return 0;
}
