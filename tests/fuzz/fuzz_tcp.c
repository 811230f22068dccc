/* SPDX-License-Identifier: MIT */

/* TCP in every state under a peer that knows the connection's numbers, an application without
 * manners, a link that fills up and memory that runs out.
 *
 * The first byte chooses the state that the conversation starts in, the second how the stack is set
 * up, the third the peer's sequence numbers; what follows is a stream of steps. Most steps inject
 * segments whose numbers are near the live ones (weir_tcp_info_get, or what was last heard on the
 * wire), since random numbers are dropped at the first check.
 *
 * A byte of a stream is a function of its sequence number (stream_byte), in both directions. So
 * everything sent and everything read can be judged without a record, retransmissions and overlaps
 * included. Raw bytes that hit the connection end the judgement of what is read.
 *
 * After each step, once polling has come to rest: weir_inspect_check finds nothing, the deadline
 * lies ahead, no poll sent more than its budget, and on the wire checksums are right, packets fit
 * the link, data is the stream's, and no offered window shrank. At the end everything is aborted and
 * ten minutes pass; then nothing may be left, an ordinary transfer with a second stack must work on
 * the stack that lived through all this, and all memory must come back.
 */

#include "world.h"

/* ---- The peer's segments -------------------------------------------------------------------------- */

static uint32_t nearby(struct world *world, uint32_t base)
{
    static const int32_t steps[16] = {0, 0, 0, 0, 1, -1, 2, -2, 536, 1460, -1460, 65535, -65535};
    uint8_t how = read_u8(&world->in);

    if (how < 208)
        return base + (uint32_t)steps[how & 15];
    if (how < 240)
        return base + read_u16(&world->in) - 0x8000u;
    return read_u32(&world->in);
}

static uint32_t choose_base(struct world *world, uint8_t which, const struct weir_tcp_info *info,
                            bool is_ack)
{
    switch (which & 3) {
    case 0:
        return is_ack ? world->heard_end : world->heard_ack;
    case 1:
        return is_ack ? info->snd_una : info->rcv_nxt;
    case 2:
        return is_ack ? info->snd_nxt : info->rcv_nxt + info->rcv_wnd;
    default:
        return is_ack ? info->iss : info->irs;
    }
}

static void mutated_segment(struct world *world)
{
    static const uint8_t flags[16] = {0x10, 0x10, 0x18, 0x11, 0x02, 0x12, 0x04, 0x14,
                                      0x01, 0x00, 0x30, 0x31, 0x13, 0x06, 0x19, 0xd2};
    static const uint32_t lengths[8] = {0, 0, 1, 2, 100, 536, 1000, 1460};
    static const uint16_t windows[8] = {65535, 65535, 0, 1, 500, 1460, 4096, 30000};
    uint8_t how = read_u8(&world->in), sizes = read_u8(&world->in);
    struct weir_tcp_info info = app_info(world);
    struct segment segment = {
        .flags = how & 0x80 ? read_u8(&world->in) : flags[how & 15],
        .length = lengths[sizes & 7],
        .window = windows[sizes >> 3 & 7],
        .options = sizes >> 6,
        .waits = how & 0x40,
    };

    how = read_u8(&world->in);
    segment.seq = choose_base(world, how, &info, false);
    segment.ack = choose_base(world, how >> 2, &info, true);
    if (how & 0x10)
        segment.seq = nearby(world, segment.seq);
    if (how & 0x20)
        segment.ack = nearby(world, segment.ack);
    if (how & 0x40)
        segment.urgent = read_u16(&world->in);
    if (how & 0x80)
        segment.port_offset = read_u8(&world->in) & 1;
    fuzz_world_inject(world, &segment);
}

/* What an ordinary peer would say: acknowledges all, brings the next data. */
static void polite_segment(struct world *world)
{
    uint8_t how = read_u8(&world->in);
    struct segment segment = {.flags = WEIR_TCP_ACK,
                              .seq = world->heard_ack,
                              .ack = world->heard_end,
                              .length = (how & 15) * 97u,
                              .window = how & 0x10 ? 8000 : 65535};

    if (how & 0x20)
        segment.flags |= WEIR_TCP_FIN;
    if (how & 0x40)
        segment.ack -= 1;
    fuzz_world_inject(world, &segment);
}

static void raw_bytes(struct world *world)
{
    const uint8_t *bytes;
    uint8_t *copy;
    size_t length;

    bytes = read_span(&world->in, read_u8(&world->in), &length);
    copy = exact_copy(bytes, length);
    fix_checksums(copy, length);
    world->is_tainted = true;
    feed(world->stack, 0, copy, length, world->now);
    free(copy);
}

/* An ICMP error about the last segment that was sent. */
static void icmp_error(struct world *world)
{
    uint8_t how = read_u8(&world->in), bytes[8 + sizeof world->last];
    struct weir_packet packet = {.src = peer_addr(), .dst = our_addr(), .ttl = 64, .protocol = 1};

    packet.icmp_type = how & 0x80 ? read_u8(&world->in) : (uint8_t)(how & 0x40 ? 4 : 3);
    packet.icmp_code = how & 15;
    packet.icmp_rest = how & 0x20 ? read_u16(&world->in) : 0;
    memcpy(bytes, world->last, world->last_length);
    packet.payload = bytes;
    packet.payload_length = world->last_length;
    if (how & 0x10 && packet.payload_length >= 28)
        bytes[24 + how % 4] ^= read_u8(&world->in);
    fuzz_world_send_packet(world, &packet);
}

/* ---- The application's side ----------------------------------------------------------------------- */

static void shut(struct world *world, uint8_t how)
{
    struct app *app = &world->apps[world->current];

    switch (how & 3) {
    case 0:
    case 1:
        weir_socket_shutdown(world->stack, app->socket, (enum weir_shutdown_how)(how >> 2 & 1));
        break;
    case 2:
        weir_socket_close(world->stack, app->socket);
        app->socket = -1;
        break;
    default:
        weir_socket_abort(world->stack, app->socket);
        app->socket = -1;
        break;
    }
}

static void set_option(struct world *world)
{
    static const int64_t values[8] = {
        0, 1, -1, 2048, 65536, WEIR_MS, 3 * WEIR_SECOND, 3600 * WEIR_SECOND};
    uint8_t how = read_u8(&world->in);
    enum weir_option option = (enum weir_option)((how & 31) % WEIR_OPTION_COUNT);
    int socket = world->apps[world->current].socket;
    int64_t value;

    weir_socket_set(world->stack, socket, option, values[how >> 5]);
    if (weir_socket_get(world->stack, socket, option, &value) == 0)
        weir_socket_set(world->stack, socket, option, value);
}

static void open_or_choose(struct world *world)
{
    uint8_t how = read_u8(&world->in);

    if (how & 0x80) {
        world->current = how % APPS;
        return;
    }
    if (world->apps[world->current].socket >= 0)
        return;
    if (how & 1)
        app_connect(world);
    else
        app_listen(world);
}

static void link_and_memory(struct world *world)
{
    uint8_t how = read_u8(&world->in);

    switch (how & 7) {
    case 0:
    case 1:
        world->is_full = true;
        break;
    case 2:
    case 3:
        world->is_full = false;
        break;
    case 4:
        weir_stack_set_iface_up(world->stack, 0, false);
        break;
    case 5:
        weir_stack_set_iface_up(world->stack, 0, true);
        break;
    case 6:
        world->ledger.refuse = how >> 3;
        break;
    default:
        world->budget = how >> 3;
        break;
    }
}

static void pass_time(struct world *world)
{
    static const weir_time pauses[16] = {0,
                                         WEIR_US,
                                         WEIR_MS,
                                         40 * WEIR_MS,
                                         100 * WEIR_MS,
                                         200 * WEIR_MS,
                                         500 * WEIR_MS,
                                         WEIR_SECOND,
                                         3 * WEIR_SECOND,
                                         10 * WEIR_SECOND,
                                         60 * WEIR_SECOND,
                                         120 * WEIR_SECOND,
                                         240 * WEIR_SECOND,
                                         3600 * WEIR_SECOND,
                                         8000 * WEIR_SECOND};
    uint8_t how = read_u8(&world->in);
    weir_time deadline = weir_stack_deadline(world->stack);

    if (how & 0x80 && deadline != WEIR_NEVER)
        fuzz_world_pass_time(world, deadline - world->now);
    else
        fuzz_world_pass_time(world, pauses[how & 15]);
}

/* ---- The conversation ----------------------------------------------------------------------------- */

static void step(struct world *world)
{
    uint8_t what = read_u8(&world->in);

    switch (what & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
        mutated_segment(world);
        break;
    case 4:
    case 5:
        polite_segment(world);
        break;
    case 6:
    case 7:
        pass_time(world);
        break;
    case 8:
    case 9:
        app_send(world, what & 0x10 ? 20u * (what >> 4) : 1600u * (what >> 4), what >> 6);
        break;
    case 10:
        app_receive(world, 100u * (what >> 4));
        break;
    case 11:
        shut(world, what >> 4);
        break;
    case 12:
        set_option(world);
        break;
    case 13:
        link_and_memory(world);
        break;
    case 14:
        if (what & 0x80)
            raw_bytes(world);
        else
            icmp_error(world);
        break;
    default:
        open_or_choose(world);
        break;
    }
    fuzz_world_settle(world);
}

/* The peer's next segment in the handshake and the closing sequence. */
static void say(struct world *world, uint8_t flags, uint32_t length, int32_t ack_offset)
{
    struct segment segment = {.flags = flags,
                              .seq = world->heard_ack,
                              .ack = world->heard_end + (uint32_t)ack_offset,
                              .length = length,
                              .window = 65535,
                              .options = flags & WEIR_TCP_SYN ? 1 : 0};

    fuzz_world_inject(world, &segment);
    fuzz_world_settle(world);
}

static void establish(struct world *world, bool is_active)
{
    if (is_active)
        app_connect(world);
    else
        app_listen(world);
    fuzz_world_settle(world);
    say(world, is_active ? WEIR_TCP_SYN | WEIR_TCP_ACK : WEIR_TCP_SYN, 0, 0);
    if (!is_active)
        say(world, WEIR_TCP_ACK, 0, 0);
    fuzz_world_settle(world);
    app_send(world, 3000, 0);
    say(world, WEIR_TCP_ACK | WEIR_TCP_PSH, 700, 0);
}

/* Leads to the state of this number (enum weir_tcp_state); 0 stands for LISTEN too. */
static void begin(struct world *world, unsigned state, bool is_active)
{
    const uint8_t fin = WEIR_TCP_ACK | WEIR_TCP_FIN;

    if (state == WEIR_STATE_SYN_SENT || (state == WEIR_STATE_SYN_RECEIVED && is_active)) {
        app_connect(world);
        fuzz_world_settle(world);
    } else if (state <= WEIR_STATE_SYN_RECEIVED) {
        app_listen(world);
    } else {
        establish(world, is_active);
    }
    if (state == WEIR_STATE_SYN_RECEIVED)
        say(world, WEIR_TCP_SYN, 0, 0);
    if (state <= WEIR_STATE_ESTABLISHED)
        return;
    if (state == WEIR_STATE_CLOSE_WAIT || state == WEIR_STATE_LAST_ACK)
        say(world, fin, 0, 0);
    if (state == WEIR_STATE_CLOSE_WAIT)
        return;
    app_receive(world, 5000);
    say(world, WEIR_TCP_ACK, 0, 0);
    shut(world, 1u << 2);
    fuzz_world_settle(world);
    if (state == WEIR_STATE_FIN_WAIT_2 || state == WEIR_STATE_TIME_WAIT)
        say(world, WEIR_TCP_ACK, 0, 0);
    if (state == WEIR_STATE_TIME_WAIT)
        say(world, fin, 0, 0);
    if (state == WEIR_STATE_CLOSING)
        say(world, fin, 0, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t isns[4] = {1000, 0xffffff00u, 0x7fffff00u, 0};
    struct world world = {.in = {.data = data, .left = size}, .now = WEIR_SECOND};
    uint8_t state = read_u8(&world.in), options = read_u8(&world.in);

    fuzz_world_create(&world, options);
    world.heard_ack = isns[read_u8(&world.in) & 3];
    begin(&world, (unsigned)(state & 15) % WEIR_STATE_COUNT, state & 16);
    while (world.in.left)
        step(&world);
    fuzz_world_clean_up(&world);
    fuzz_world_transfer(&world);
    fuzz_world_destroy(&world);
    return 0;
}
