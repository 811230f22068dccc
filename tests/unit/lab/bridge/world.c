/* SPDX-License-Identifier: MIT */

/* The world of a script behind the adapter's table, as packetdrill uses it: time is read with
 * gettimeofday only, and a script begins 250 us after a look at it; waiting is usleep up to 20 us
 * before the event, then looking at the clock until it is there; a packet that is expected is waited
 * for in netdev_receive, an inbound one is given to netdev_send.
 *
 * The adapter makes its own stack, or, if the script has settings that it would find in /proc/sys,
 * is given one that has them. What is left over at the end, and what a report says of the state, is
 * looked up behind the table. */

#include "bridge.h"

#include <netinet/in.h>

#define START_USECS 250
#define SPIN_USECS 20

struct bridge bridge;

long long bridge_clock(void)
{
    struct timeval now;

    assert_int_equal(bridge.t.gettimeofday(bridge.adapter, &now, NULL), 0);
    return (long long)now.tv_sec * 1000000 + now.tv_usec;
}

weir_time bridge_time(const struct run *run, long long usecs)
{
    return run->origin + (usecs - bridge.start) * WEIR_US;
}

static void look(struct run *run)
{
    run->now = bridge_time(run, bridge_clock());
}

static void open_stack(struct run *run)
{
    struct linux_config linux = run->linux_config;
    struct adapter *adapter = bridge.adapter;

    if (!run->script->init && !run->init_scripts) {
        assert_int_equal(netdev_open(adapter), 0);
        return;
    }
    run->config.seed[0] = (uint8_t)run->options->seed;
    linux.local = weir_addr_any4();
    linux.numbers =
        (struct linux_numbers){.get = numbers_get, .put = numbers_put, .context = adapter};
    adapter->stack = weir_stack_create(&run->config);
    adapter->sockets = linux_create(adapter->stack, &linux);
    linux_set_now(adapter->sockets, adapter->now);
}

wrapped(bool, world_create, struct run *run)
{
    static const char *const profiles[] = {"default", "linux", "strict", "brown"};
    enum weir_profile profile;
    char flags[100];
    size_t i = 0;

    if (!bridge.is_on)
        return __real_world_create(run);
    while (weir_profile_parse(profiles[i], &profile) < 0 || profile != run->profile)
        i++;
    snprintf(flags, sizeof(flags), "sysctl=0,profile=%s,seed=%llu,mtu=%u", profiles[i],
             (unsigned long long)run->options->seed, run->mtu);
    packetdrill_interface_init(flags, &bridge.t);
    bridge.adapter = bridge.t.userdata;
    assert_non_null(bridge.adapter);
    open_stack(run);
    run->stack = bridge.adapter->stack;
    run->sockets = BRIDGE_SOCKETS;
    run->queue_end = &run->queue;
    bridge.start = bridge_clock() + START_USECS;
    bridge.is_unsuited = false;
    look(run);
    return true;
}

wrapped(void, world_destroy, struct run *run)
{
    struct seen *seen;

    if (!bridge.is_on) {
        __real_world_destroy(run);
        return;
    }
    if (bridge.adapter)
        bridge.t.free(bridge.adapter);
    bridge.adapter = NULL;
    assert_true(bridge_join(20));
    socket_call_done(&run->pending);
    while ((seen = run->queue)) {
        run->queue = seen->next;
        free(seen);
    }
}

/* The next packet, for the queue; false: none will be sent. */
static bool receive_one(struct run *run)
{
    uint8_t bytes[65536];
    size_t length = sizeof(bytes);
    long long at = 0;
    struct seen *seen;

    assert_int_equal(bridge.t.netdev_receive(bridge.adapter, bytes, &length, &at), 0);
    look(run);
    if (length == 0)
        return false;
    seen = malloc(sizeof(*seen) + length);
    assert_non_null(seen);
    *seen = (struct seen){.at = bridge_time(run, at), .length = length};
    memcpy(seen->bytes, bytes, length);
    assert_int_equal(weir_packet_parse(seen->bytes, length, &seen->packet), 0);
    report_packet(run, '>', &seen->packet, seen->bytes, length);
    if (seen->packet.protocol == 6 && seen->packet.flags == WEIR_TCP_SYN)
        run->local = seen->packet.src; /* packetdrill learns it from there, too */
    *run->queue_end = seen;
    run->queue_end = &seen->next;
    run->queued++;
    return true;
}

/* What has been sent already: packetdrill asks for it when a line expects more than one packet has. */
static void receive_ready(struct run *run)
{
    while (bridge.adapter->queue)
        receive_one(run);
}

wrapped(void, world_step, struct run *run)
{
    if (!bridge.is_on) {
        __real_world_step(run);
        return;
    }
    look(run);
    bridge_try_pending(run);
}

wrapped(void, world_advance, struct run *run, weir_time until)
{
    if (!bridge.is_on) {
        __real_world_advance(run, until);
        return;
    }
    for (look(run); run->now < until; look(run)) {
        long long left = (until - run->now + WEIR_US - 1) / WEIR_US;

        if (left > SPIN_USECS)
            bridge.t.usleep(bridge.adapter, (useconds_t)(left - SPIN_USECS));
    }
    bridge_try_pending(run);
}

wrapped(bool, world_wait_packet, struct run *run, weir_time limit, struct drill_conn *conn)
{
    if (!bridge.is_on)
        return __real_world_wait_packet(run, limit, conn);
    receive_ready(run);
    while (!world_packet(run, conn, false) && !run->ended) {
        if (!receive_one(run) || run->now > limit)
            return false;
        receive_ready(run);
        bridge_try_pending(run);
    }
    return world_packet(run, conn, false) != NULL;
}

/* All packets of packetdrill are for the local address, which is so learnt from the first one. */
static void note_foreign(const struct run *run, const uint8_t *bytes)
{
    uint32_t local = htonl(weir_addr_to4(&run->local));

    if (memcmp(bytes + 16, &local, sizeof(local)) != 0)
        bridge.is_unsuited = true;
}

wrapped(void, world_inject, struct run *run, const uint8_t *bytes, size_t length)
{
    if (!bridge.is_on) {
        __real_world_inject(run, bytes, length);
        return;
    }
    if (length >= 20 && !bridge.adapter->knows_addr)
        note_foreign(run, bytes);
    if (bridge.t.netdev_send(bridge.adapter, bytes, length) < 0) {
        assert_int_equal(errno, EINVAL);
        bridge.is_unsuited = true;
    }
    look(run);
    bridge_try_pending(run);
}

/* Before a call and at the end packetdrill waits up to a second for a call that waits, outside. Then
 * everything that was sent is looked at. */
wrapped(void, run_finish_pending, struct run *run)
{
    if (!bridge.is_on) {
        __real_run_finish_pending(run);
        return;
    }
    if (run->pending.event && bridge_join(1))
        bridge_try_pending(run);
    __real_run_finish_pending(run);
    receive_ready(run);
}
