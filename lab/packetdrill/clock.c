/* SPDX-License-Identifier: MIT */

/* How time goes on.
 *
 * packetdrill reads the time with gettimeofday and waits with usleep; when it expects a packet it
 * waits in netdev_receive. The adapter's clock is `now`, in nanoseconds of the stack, and
 * gettimeofday shows `wall` + `now`.
 *
 * Virtual time. Nothing happens between two deadlines of the stack and of the calls that wait, so the
 * clock jumps from one to the next, and only when the script's thread waits; reading it adds 1 µs,
 * because packetdrill spins on it for the last 20 µs before an event. A blocked call that comes to its
 * end at some instant must find that instant on the clock when its thread reads it afterwards. So the
 * main thread waits, before it goes on here, until each thread whose call has just ended is back with
 * its next call (packetdrill's reads the clock first), at most RETURN_PATIENCE of real time. That also
 * settles who of the two reads first, so that the same script sees the same times.
 *
 * Real time. `now` follows CLOCK_MONOTONIC, `wall` is what CLOCK_REALTIME was ahead of it in the
 * beginning. Whoever waits, for whatever, sleeps until the earliest deadline of all and serves what is
 * due: so a packet leaves on time as long as one thread is inside. `armed` is the time that the
 * sleepers have set their alarm for.
 *
 * Limit: STUCK_MAX deadlines at one virtual instant, then a wait ends with a message. */

#include <lab/packetdrill/adapter.h>
#include <time.h>

#define VIRTUAL_EPOCH (1600000000 * WEIR_SECOND)
#define RETURN_PATIENCE (200 * WEIR_MS)
#define STUCK_MAX 100000u

static weir_time read_clock(clockid_t id)
{
    struct timespec spec;

    clock_gettime(id, &spec);
    return (weir_time)spec.tv_sec * WEIR_SECOND + spec.tv_nsec;
}

weir_time clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_init(struct adapter *adapter)
{
    adapter->now = CLOCK_START;
    adapter->armed = WEIR_NEVER;
    adapter->started = clock_monotonic();
    adapter->wall = adapter->flags.is_real ? read_clock(CLOCK_REALTIME) : VIRTUAL_EPOCH;
    adapter->wall -= CLOCK_START;
}

/* CLOCK_MONOTONIC when the adapter's clock will show `time`. */
static weir_time monotonic_at(const struct adapter *adapter, weir_time time)
{
    return time == WEIR_NEVER ? WEIR_NEVER : time - CLOCK_START + adapter->started;
}

void clock_catch_up(struct adapter *adapter)
{
    if (!adapter->flags.is_real)
        return;
    adapter->now = clock_monotonic() - adapter->started + CLOCK_START;
    if (netdev_next(adapter) <= adapter->now)
        netdev_step(adapter);
}

/* ---- Virtual time -------------------------------------------------------------------------------- */

void clock_wait_for_returning(struct adapter *adapter)
{
    weir_time until;

    if (!adapter->returning_count || adapter->flags.is_real)
        return;
    until = clock_monotonic() + RETURN_PATIENCE;
    while (adapter->returning_count && !adapter->is_stopping && clock_monotonic() < until)
        adapter_sleep(adapter, until);
    adapter->returning_count = 0;
}

static bool jump(struct adapter *adapter, weir_time until)
{
    weir_time next;

    clock_wait_for_returning(adapter);
    next = netdev_next(adapter);
    if (next > until || next == WEIR_NEVER || adapter->is_stopping)
        return false;
    if (next > adapter->now) {
        adapter->now = next;
        adapter->stuck = 0;
    } else if (adapter->stuck++ == STUCK_MAX) {
        adapter_complain("time does not pass");
        return false;
    }
    netdev_step(adapter);
    return true;
}

/* ---- Real time ----------------------------------------------------------------------------------- */

static bool sleep_until(struct adapter *adapter, weir_time until)
{
    weir_time next = netdev_next(adapter);

    if (adapter->now >= until || adapter->is_stopping)
        return false;
    if (until < next)
        next = until;
    if (next < adapter->armed)
        adapter->armed = next;
    adapter_sleep(adapter, monotonic_at(adapter, next));
    adapter->armed = WEIR_NEVER; /* the other sleepers are woken rather too often */
    clock_catch_up(adapter);
    return true;
}

/* ---- Either --------------------------------------------------------------------------------------- */

bool clock_step(struct adapter *adapter, weir_time until)
{
    return adapter->flags.is_real ? sleep_until(adapter, until) : jump(adapter, until);
}

void clock_advance(struct adapter *adapter, weir_time until)
{
    while (clock_step(adapter, until))
        continue;
    if (!adapter->flags.is_real && until > adapter->now)
        adapter->now = until;
}
