/* SPDX-License-Identifier: MIT */

/* The stage of fuzz_tcp: see there for what is watched and why.
 *
 * The stack's frames are taken off the hub after each poll, looked at and forgotten, unless the link
 * is full by order. Then the hub's short queue fills and begin refuses, which must bring the stack
 * to rest; link_ready is called when there is room again, as any runner does.
 *
 * Sockets that the stack makes (accept) go to a free application, or are closed if there is none.
 *
 * Limits: ROUNDS polls until there is rest, DEADLINES deadlines in one pause; what lies beyond is
 * jumped over, as a late runner would.
 */

#include "world.h"

#define QUEUE 8u
#define ROUNDS 5000u
#define DEADLINES 300u
#define TRANSFER_BYTES 20000u

static uint8_t stream_byte(uint32_t seq)
{
    return (uint8_t)(seq * 2654435761u >> 24);
}

struct weir_addr our_addr(void)
{
    return weir_addr_from4(0x0a000001);
}

struct weir_addr peer_addr(void)
{
    return weir_addr_from4(0x0a000002);
}

static void must(int result)
{
    FUZZ_CHECK(result >= 0, "%s", weir_strerror(result));
}

static void add_iface(struct weir_stack *stack, struct weir_link *link, struct weir_addr addr)
{
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);

    must(weir_stack_add_iface(stack, "if0", link, &addr, &prefix, false));
}

void fuzz_world_create(struct world *world, uint8_t options)
{
    static const size_t budgets[4] = {0, 0, 512u << 10, 160u << 10};
    struct weir_stack_config config;
    unsigned i;

    weir_stack_config_init(&config);
    weir_profile((enum weir_profile)((options & 3) % 3), &config.tcp);
    config.allocator = ledger_allocator(&world->ledger);
    config.memory_budget = budgets[options >> 2 & 3];
    config.half_open_max = options & 16 ? 4 : 0;
    config.time_wait_max = options & 16 ? 2 : 0;
    if (options & 32)
        config.tcp.send_buffer = config.tcp.receive_buffer = 2048;
    config.tcp.keepalive = options & 64;
    config.skip_tcp_checksum = options & 128;
    if (config.tcp.fin_wait_2_timeout == WEIR_NEVER) /* the end could not ask for an empty stack */
        config.tcp.fin_wait_2_timeout = 3000 * WEIR_SECOND;
    world->stack = weir_stack_create(&config);
    world->hub = weir_hub_create(2, WORLD_MTU, QUEUE);
    FUZZ_CHECK(world->stack && world->hub, "no memory");
    world->mine = weir_hub_port(world->hub, 0);
    world->theirs = weir_hub_port(world->hub, 1);
    add_iface(world->stack, world->mine, our_addr());
    windows_init(&world->windows);
    for (i = 0; i < APPS; i++)
        world->apps[i].socket = -1;
    world->our_port = 80;
    world->peer_port = 40000;
}

void fuzz_world_destroy(struct world *world)
{
    weir_stack_destroy(world->stack);
    FUZZ_CHECK(world->ledger.blocks == 0, "%zu blocks leak", world->ledger.blocks);
    weir_hub_destroy(world->hub);
    windows_done(&world->windows);
}

/* ---- The wire ------------------------------------------------------------------------------------- */

static void watch_stream(struct world *world, const struct weir_packet *packet)
{
    uint32_t first = packet->seq + (packet->flags & WEIR_TCP_SYN ? 1u : 0u);
    const char *broken = windows_check(&world->windows, packet);
    uint32_t i;

    FUZZ_CHECK(!broken, "%s", broken);
    for (i = 0; i < packet->payload_length; i++)
        FUZZ_CHECK(packet->payload[i] == stream_byte(first + i), "byte %u of %u is wrong", i,
                   packet->payload_length);
    if (packet->flags & WEIR_TCP_RST)
        return;
    world->our_port = packet->sport;
    world->peer_port = packet->dport;
    world->heard_end = first + packet->payload_length + (packet->flags & WEIR_TCP_FIN ? 1u : 0u);
    if (packet->flags & WEIR_TCP_ACK)
        world->heard_ack = packet->ack;
}

static void watch(struct world *world, const struct weir_frame *frame)
{
    struct weir_packet packet;
    char text[WEIR_PACKET_TEXT];

    FUZZ_CHECK(frame->length <= WORLD_MTU, "%u bytes", frame->length);
    FUZZ_CHECK(weir_packet_parse(frame->data, frame->length, &packet) == 0, "does not parse");
    FUZZ_CHECK(packet.ip_checksum_ok && packet.transport_checksum_ok, "checksum: %s",
               weir_packet_print(&packet, text, sizeof text));
    if (packet.protocol != 6)
        return;
    world->last_length = frame->length < sizeof world->last ? frame->length : sizeof world->last;
    memcpy(world->last, frame->data, world->last_length);
    watch_stream(world, &packet);
}

/* Takes packets off the wire. Returns true if the stack may send again. */
static bool drain(struct world *world)
{
    struct weir_frame frames[QUEUE];
    int count, i;

    if (world->is_full)
        return false;
    while ((count = world->theirs->ops->receive(world->theirs, frames, QUEUE, world->now)) > 0)
        for (i = 0; i < count; i++)
            watch(world, &frames[i]);
    if (!world->mine->refused || !world->mine->ops->ready(world->mine, world->now))
        return false;
    world->mine->refused = false;
    weir_stack_link_ready(world->stack, 0);
    return true;
}

static void deliver_batch(struct world *world)
{
    int i;

    if (!world->batch_count)
        return;
    weir_stack_input(world->stack, 0, world->batch, world->batch_count, world->now);
    for (i = 0; i < world->batch_count; i++)
        free(world->batch[i].data);
    world->batch_count = 0;
}

void fuzz_world_send_packet(struct world *world, const struct weir_packet *packet)
{
    struct weir_frame *frame;
    uint8_t bytes[2 * WORLD_MTU];
    long length = weir_packet_emit(packet, bytes, sizeof bytes);

    FUZZ_CHECK(length > 0, "cannot be emitted: %ld", length);
    if (world->batch_count == BATCH)
        deliver_batch(world);
    frame = &world->batch[world->batch_count++];
    memset(frame, 0, sizeof *frame);
    frame->data = exact_copy(bytes, (size_t)length);
    frame->length = (uint32_t)length;
    frame->l2 = WEIR_L2_IP;
}

void fuzz_world_inject(struct world *world, const struct segment *segment)
{
    static const uint8_t options[4][8] = {
        {0}, {2, 4, 0x05, 0xb4}, {2, 4, 0, 100}, {1, 3, 3, 7, 4, 2, 8, 1}};
    static const uint8_t lengths[4] = {0, 4, 4, 8};
    uint32_t first = segment->seq + (segment->flags & WEIR_TCP_SYN ? 1u : 0u), i;
    uint8_t data[WORLD_MTU];
    struct weir_packet packet = {
        .src = peer_addr(),
        .dst = our_addr(),
        .ttl = 64,
        .protocol = 6,
        .sport = (uint16_t)(world->peer_port + segment->port_offset),
        .dport = world->our_port,
        .seq = segment->seq,
        .ack = segment->ack,
        .window = segment->window,
        .urgent = segment->urgent,
        .flags = segment->flags,
        .options = options[segment->options],
        .options_length = lengths[segment->options],
        .mss = -1,
        .payload = data,
        .payload_length = segment->length,
    };

    for (i = 0; i < segment->length; i++)
        data[i] = stream_byte(first + i);
    fuzz_world_send_packet(world, &packet);
    if (!segment->waits)
        deliver_batch(world);
}

/* ---- Running -------------------------------------------------------------------------------------- */

static struct app *free_app(struct world *world)
{
    unsigned i;

    for (i = 0; i < APPS; i++)
        if (world->apps[i].socket < 0)
            return &world->apps[i];
    return NULL;
}

static void accept_all(struct world *world, int listener)
{
    int socket;

    while ((socket = weir_socket_accept(world->stack, listener, NULL)) >= 0) {
        struct app *app = free_app(world);

        if (!app) {
            weir_socket_close(world->stack, socket);
            continue;
        }
        *app = (struct app){.socket = socket};
        world->current = (unsigned)(app - world->apps);
    }
}

static bool take_events(struct world *world)
{
    struct weir_event event;
    bool any = false;

    while (weir_stack_next_event(world->stack, &event)) {
        any = true;
        if (event.events & WEIR_ACCEPT && !world->is_over)
            accept_all(world, event.socket);
    }
    return any;
}

static bool poll_once(struct world *world)
{
    const uint64_t *sent = &weir_inspect_counters(world->stack)->counter[WEIR_COUNT_PACKETS_OUT];
    uint64_t before = *sent;
    bool again = weir_stack_poll(world->stack, world->now, world->budget);

    if (world->budget)
        FUZZ_CHECK(*sent - before <= world->budget, "%u frames at a budget of %u",
                   (unsigned)(*sent - before), world->budget);
    return again;
}

static void check_rest(const struct world *world)
{
    const char *broken = weir_inspect_check(world->stack, world->now);
    struct weir_socket_row row;
    int socket = world->apps[world->current].socket;

    FUZZ_CHECK(!broken, "%s", broken);
    FUZZ_CHECK(weir_stack_deadline(world->stack) > world->now, "the deadline is past");
    if (socket < 0)
        return;
    FUZZ_CHECK(weir_inspect_socket(world->stack, socket, &row) == socket, "a socket is lost");
    FUZZ_CHECK(weir_socket_ready(world->stack, socket) >= 0, "an open socket is none");
    FUZZ_CHECK(weir_socket_urgent_left(world->stack, socket) >= 0 || row.kind == WEIR_TCP,
               "urgent");
}

void fuzz_world_settle(struct world *world)
{
    bool again = true;
    unsigned rounds;

    deliver_batch(world);
    for (rounds = 0; again; rounds++) {
        FUZZ_CHECK(rounds < ROUNDS, "polling never comes to rest");
        again = poll_once(world);
        again |= drain(world);
        again |= take_events(world);
    }
    check_rest(world);
}

void fuzz_world_pass_time(struct world *world, weir_time duration)
{
    weir_time target = world->now + duration;
    unsigned steps;

    fuzz_world_settle(world);
    for (steps = 0; weir_stack_deadline(world->stack) <= target && steps < DEADLINES; steps++) {
        world->now = weir_stack_deadline(world->stack);
        fuzz_world_settle(world);
    }
    world->now = target;
    fuzz_world_settle(world);
}

/* ---- Applications --------------------------------------------------------------------------------- */

struct weir_tcp_info app_info(const struct world *world)
{
    struct weir_tcp_info info;

    memset(&info, 0, sizeof info);
    weir_tcp_info_get(world->stack, world->apps[world->current].socket, world->now, &info);
    return info;
}

static bool open_app(struct world *world)
{
    struct app *app = &world->apps[world->current];

    *app = (struct app){.socket = weir_socket_open(world->stack, WEIR_TCP, 0)};
    return app->socket >= 0;
}

void app_connect(struct world *world)
{
    struct weir_endpoint remote = {.addr = peer_addr(), .port = 9000};

    if (open_app(world))
        weir_socket_connect(world->stack, world->apps[world->current].socket, &remote, world->now);
}

void app_listen(struct world *world)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    struct app *app = &world->apps[world->current];

    if (!open_app(world))
        return;
    weir_socket_set(world->stack, app->socket, WEIR_SO_REUSEADDR, world->current % 2);
    weir_socket_bind(world->stack, app->socket, &local);
    weir_socket_listen(world->stack, app->socket, 2);
    world->current = (world->current + 1) % APPS;
}

void app_send(struct world *world, uint32_t length, int flags)
{
    struct app *app = &world->apps[world->current];
    struct weir_tcp_info info = app_info(world);
    uint8_t data[25000];
    uint32_t i;
    long taken;

    for (i = 0; i < length; i++)
        data[i] = stream_byte(info.iss + 1 + app->written + i);
    taken = weir_socket_send(world->stack, app->socket, data, length, flags & 3);
    FUZZ_CHECK(taken <= (long)length, "took %ld of %u", taken, length);
    if (taken > 0)
        app->written += (uint32_t)taken;
}

void app_receive(struct world *world, uint32_t length)
{
    struct app *app = &world->apps[world->current];
    struct weir_tcp_info info = app_info(world);
    uint8_t data[6000];
    long taken, i;

    if (info.state >= WEIR_STATE_ESTABLISHED && info.state != WEIR_STATE_TIME_WAIT) {
        app->irs = info.irs;
        app->knows_irs = true;
    }
    taken = weir_socket_recv(world->stack, app->socket, data, length);
    FUZZ_CHECK(taken <= (long)length, "gave %ld of %u", taken, length);
    for (i = 0; i < taken && app->knows_irs && !world->is_tainted; i++)
        FUZZ_CHECK(data[i] == stream_byte(app->irs + 1 + app->taken + (uint32_t)i),
                   "byte %ld of %ld is wrong", i, taken);
    if (taken > 0)
        app->taken += (uint32_t)taken;
}

/* ---- The end -------------------------------------------------------------------------------------- */

void fuzz_world_clean_up(struct world *world)
{
    struct weir_budget_row row;
    unsigned i;

    world->ledger.refuse = 0;
    world->is_full = false;
    world->budget = 0;
    weir_stack_set_iface_up(world->stack, 0, true);
    for (i = 0; i < APPS; i++) {
        if (world->apps[i].socket >= 0)
            must(weir_socket_abort(world->stack, world->apps[i].socket));
        world->apps[i].socket = -1;
    }
    fuzz_world_pass_time(world, 600 * WEIR_SECOND);
    fuzz_world_pass_time(world, 7200 * WEIR_SECOND);
    weir_inspect_budget(world->stack, &row);
    FUZZ_CHECK(!row.sockets && !row.connections && !row.half_open && !row.time_wait,
               "%u sockets, %u connections, %u half-open, %u in TIME-WAIT are left", row.sockets,
               row.connections, row.half_open, row.time_wait);
}

/* Both stacks have seen to everything at this time. */
static void run_both(struct world *world, struct weir_stack *other)
{
    struct weir_frame frames[QUEUE];
    struct weir_event event;
    bool again = true;
    unsigned rounds;
    int count;

    for (rounds = 0; again; rounds++) {
        FUZZ_CHECK(rounds < ROUNDS, "polling never comes to rest");
        again = weir_stack_poll(world->stack, world->now, 0);
        again |= weir_stack_poll(other, world->now, 0);
        while ((count = world->theirs->ops->receive(world->theirs, frames, QUEUE, world->now)) >
               0) {
            weir_stack_input(other, 0, frames, count, world->now);
            again = true;
        }
        while ((count = world->mine->ops->receive(world->mine, frames, QUEUE, world->now)) > 0) {
            weir_stack_input(world->stack, 0, frames, count, world->now);
            again = true;
        }
        if (world->mine->refused && world->mine->ops->ready(world->mine, world->now)) {
            world->mine->refused = false;
            weir_stack_link_ready(world->stack, 0);
        }
        if (world->theirs->refused && world->theirs->ops->ready(world->theirs, world->now)) {
            world->theirs->refused = false;
            weir_stack_link_ready(other, 0);
        }
        while (weir_stack_next_event(world->stack, &event) || weir_stack_next_event(other, &event))
            again = true;
    }
}

/* Lets time pass until something is to be done; false if nothing ever will. */
static bool wait_both(struct world *world, struct weir_stack *other)
{
    weir_time at = weir_stack_deadline(world->stack);

    if (weir_stack_deadline(other) < at)
        at = weir_stack_deadline(other);
    if (at == WEIR_NEVER)
        return false;
    if (at > world->now)
        world->now = at;
    run_both(world, other);
    return true;
}

/* One direction: all bytes, then the end of the stream. */
static void transfer(struct world *world, struct weir_stack *from, int sender,
                     struct weir_stack *to, int receiver)
{
    struct weir_stack *other = from == world->stack ? to : from;
    uint32_t sent = 0, received = 0, before, turns, i;
    uint8_t data[1000];
    long count;

    for (turns = 0; received < TRANSFER_BYTES; turns++) {
        FUZZ_CHECK(turns < 10000, "the transfer stands at %u", received);
        before = sent + received;
        for (i = 0; i < sizeof data; i++)
            data[i] = stream_byte(sent + i);
        if (sent < TRANSFER_BYTES) {
            count = weir_socket_send(from, sender, data, sizeof data, 0);
            FUZZ_CHECK(count > 0 || count == WEIR_EAGAIN, "send: %s", weir_strerror((int)count));
            sent += count > 0 ? (uint32_t)count : 0;
        }
        run_both(world, other);
        while ((count = weir_socket_recv(to, receiver, data, sizeof data)) > 0)
            for (i = 0; i < (uint32_t)count; i++, received++)
                FUZZ_CHECK(data[i] == stream_byte(received), "byte %u is wrong", received);
        FUZZ_CHECK(count == WEIR_EAGAIN, "recv: %s", weir_strerror((int)count));
        run_both(world, other);
        if (sent + received == before)
            FUZZ_CHECK(wait_both(world, other), "the transfer stands at %u", received);
    }
}

void fuzz_world_transfer(struct world *world)
{
    const struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 7777};
    const struct weir_endpoint remote = {.addr = our_addr(), .port = 7777};
    struct weir_stack_config config;
    struct weir_stack *other;
    int listener, client, server;
    unsigned turns;

    world->is_over = true;
    weir_stack_config_init(&config);
    config.seed[0] = 1;
    other = weir_stack_create(&config);
    add_iface(other, world->theirs, peer_addr());
    listener = weir_socket_open(world->stack, WEIR_TCP, 0);
    must(listener);
    must(weir_socket_set(world->stack, listener, WEIR_SO_REUSEADDR, 1));
    must(weir_socket_bind(world->stack, listener, &local));
    must(weir_socket_listen(world->stack, listener, 1));
    client = weir_socket_open(other, WEIR_TCP, 0);
    weir_socket_connect(other, client, &remote, world->now);
    run_both(world, other);
    for (turns = 0; (server = weir_socket_accept(world->stack, listener, NULL)) < 0; turns++)
        FUZZ_CHECK(turns < 100 && wait_both(world, other), "no connection");
    transfer(world, other, client, world->stack, server);
    transfer(world, world->stack, server, other, client);
    must(weir_socket_close(other, client));
    run_both(world, other);
    must(weir_socket_close(world->stack, server));
    run_both(world, other);
    FUZZ_CHECK(!weir_inspect_check(world->stack, world->now), "broken at the end");
    weir_stack_destroy(other);
}
