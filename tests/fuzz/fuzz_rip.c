/* SPDX-License-Identifier: MIT */

/* RIP under messages of any kind, time, and networks that come and go.
 *
 * The input is a stream of steps: a message (its bytes as they are, or a well-formed one with costs,
 * addresses and masks from the input), time passing, a local network up or down, a neighbour added.
 * After each step all messages and changes are taken: messages must parse, be addressed to a
 * neighbour and hold costs up to infinity; the deadline must lie ahead; memory must stay in its
 * budget and come back at the end.
 */

#include "fuzz.h"
#include <base/bytes.h>
#include <rip/rip.h>

#define NEIGHBOURS 4u
#define BUDGET (256u << 10)

struct world {
    struct reader in;
    struct ledger ledger;
    struct alloc alloc;
    struct rip *rip;
    weir_time now;
};

static struct weir_addr neighbour(unsigned index)
{
    return weir_addr_from4(0x0a000001u + index);
}

static void check_message(const uint8_t *bytes, size_t length)
{
    struct rip_message message;
    unsigned i;

    FUZZ_CHECK(length <= RIP_MESSAGE_MAX, "%zu bytes", length);
    FUZZ_CHECK(rip_parse(bytes, length, &message) == 0, "does not parse");
    for (i = 0; i < message.count; i++)
        FUZZ_CHECK(message.entries[i].cost <= RIP_INFINITY, "cost %u", message.entries[i].cost);
}

static void settle(struct world *world)
{
    struct rip_change change;
    struct weir_addr to;
    uint8_t bytes[RIP_MESSAGE_MAX];
    size_t length;
    unsigned rounds;

    for (rounds = 0; (length = rip_next_message(world->rip, &to, bytes)) > 0; rounds++) {
        FUZZ_CHECK(rounds < 10000, "messages without end");
        check_message(bytes, length);
    }
    for (rounds = 0; rip_next_change(world->rip, &change); rounds++)
        FUZZ_CHECK(rounds < 100000, "changes without end");
    FUZZ_CHECK(rip_deadline(world->rip) > world->now, "the deadline is past");
    FUZZ_CHECK(world->alloc.used <= BUDGET, "%zu bytes used", world->alloc.used);
}

static void receive(struct world *world, const struct weir_addr *from, const uint8_t *bytes,
                    size_t length)
{
    uint8_t *exact = exact_copy(bytes, length);

    rip_input(world->rip, from, exact, length, world->now);
    free(exact);
}

/* A well-formed response or request; addresses crowd in few prefixes. */
static void receive_made(struct world *world, const struct weir_addr *from)
{
    uint8_t bytes[RIP_MESSAGE_MAX];
    unsigned command = read_u8(&world->in) % 8 ? RIP_RESPONSE : RIP_REQUEST;
    unsigned count = read_u8(&world->in) % (RIP_ENTRIES_MAX + 1), i;

    put_u16(bytes, (uint16_t)command);
    put_u16(bytes + 2, (uint16_t)count);
    for (i = 0; i < count; i++) {
        uint8_t *entry = bytes + RIP_HEADER + i * RIP_ENTRY;
        uint8_t bits = (uint8_t)(read_u8(&world->in) % 34);
        uint32_t mask = bits == 33 ? read_u32(&world->in) : bits ? ~0u << (32 - bits) : 0;

        put_u32(entry, read_u8(&world->in) % 20);
        put_u32(entry + 4, (10u << 24 | (uint32_t)read_u16(&world->in) << 8) & mask);
        put_u32(entry + 8, mask);
    }
    receive(world, from, bytes, RIP_HEADER + count * RIP_ENTRY);
}

static void pass_time(struct world *world)
{
    weir_time target = world->now + (weir_time)read_u8(&world->in) * 100 * WEIR_MS;
    unsigned steps;

    for (steps = 0; rip_deadline(world->rip) <= target; steps++) {
        FUZZ_CHECK(steps < 100000, "deadlines without end");
        if (rip_deadline(world->rip) > world->now)
            world->now = rip_deadline(world->rip);
        rip_expire(world->rip, world->now);
        settle(world);
    }
    world->now = target;
}

static void step(struct world *world)
{
    uint8_t what = read_u8(&world->in);
    struct weir_addr from = neighbour(what >> 4 & 7);
    struct weir_prefix prefix;
    const uint8_t *bytes;
    size_t length;

    switch (what & 7) {
    case 0:
    case 1:
        bytes = read_span(&world->in, read_u16(&world->in) % 800, &length);
        receive(world, &from, bytes, length);
        break;
    case 2:
    case 3:
        receive_made(world, &from);
        break;
    case 4:
    case 5:
        pass_time(world);
        break;
    case 6:
        prefix = weir_prefix_from4(10u << 24 | (uint32_t)read_u8(&world->in) << 8, 24);
        rip_set_local(world->rip, &prefix, what & 8, world->now);
        break;
    default:
        rip_add_neighbour(world->rip, &from, world->now);
        break;
    }
    if (rip_deadline(world->rip) <= world->now)
        rip_expire(world->rip, world->now);
    settle(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rip_config config = {.update_interval = 5 * WEIR_SECOND,
                                      .route_timeout = 12 * WEIR_SECOND};
    struct world world = {.in = {.data = data, .left = size}};
    struct weir_allocator allocator = ledger_allocator(&world.ledger);
    struct weir_addr addr;
    unsigned i;

    alloc_init(&world.alloc, BUDGET);
    world.alloc.acquire = allocator.acquire;
    world.alloc.release = allocator.release;
    world.alloc.context = allocator.context;
    world.rip = rip_create(&world.alloc, &config);
    FUZZ_CHECK(world.rip, "no memory");
    for (i = 0; i < NEIGHBOURS; i++) {
        addr = neighbour(i);
        FUZZ_CHECK(rip_add_neighbour(world.rip, &addr, 0) == 0, "no memory");
    }
    while (world.in.left)
        step(&world);
    rip_destroy(world.rip);
    FUZZ_CHECK(world.ledger.blocks == 0, "%zu blocks leak", world.ledger.blocks);
    return 0;
}
