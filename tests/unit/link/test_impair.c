/* SPDX-License-Identifier: MIT */

/* The wrapper impair over a memory hub, in virtual time: each effect alone, with numbers; order;
 * bounds; a full inner link; equal seeds. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <weir/error.h>
#include <weir/links.h>

#define MTU 1500u
#define QUEUE 2048u
#define BYTES 100u
#define COUNT 20000u

/* A hub of two, an impaired port 0, and the far port 1. */
struct wire {
    struct weir_hub *hub;
    struct weir_link *link;
    struct weir_link *far;
};

static void wire_open(struct wire *wire, const struct weir_impair *set, uint32_t queue)
{
    wire->hub = weir_hub_create(2, MTU, queue);
    assert_non_null(wire->hub);
    wire->link = weir_impair_create(weir_hub_port(wire->hub, 0), set);
    assert_non_null(wire->link);
    wire->far = weir_hub_port(wire->hub, 1);
}

static void wire_close(struct wire *wire)
{
    wire->link->ops->destroy(wire->link);
    weir_hub_destroy(wire->hub);
}

static struct weir_impair_counts counts_of(const struct wire *wire)
{
    struct weir_impair_counts counts;

    weir_impair_counts(wire->link, &counts);
    return counts;
}

/* Every packet is its number, then bytes that follow from it. */
static void fill(uint8_t *data, uint32_t length, uint32_t number)
{
    for (uint32_t index = 4; index < length; index++)
        data[index] = (uint8_t)(number + index);
    memcpy(data, &number, 4);
}

static int send_sized(struct wire *wire, uint32_t number, uint32_t length, weir_time now)
{
    struct weir_frame frame;
    int error = wire->link->ops->begin(wire->link, length, now, &frame);

    if (error != 0)
        return error;
    assert_int_equal(frame.length, length);
    assert_true(frame.headroom >= 64);
    fill(frame.data, length, number);
    frame.why = 3;
    wire->link->ops->commit(wire->link, &frame, now);
    return 0;
}

static void send_one(struct wire *wire, uint32_t number, weir_time now)
{
    assert_int_equal(send_sized(wire, number, BYTES, now), 0);
    assert_int_equal(wire->link->ops->flush(wire->link, now), 0);
}

/* Takes one packet from the far end; its number, or -1. */
static int64_t take(struct wire *wire)
{
    struct weir_frame frame;
    uint32_t number;

    if (wire->far->ops->receive(wire->far, &frame, 1, 0) == 0)
        return -1;
    assert_true(frame.length >= 4);
    memcpy(&number, frame.data, 4);
    return number;
}

#define LOG_MAX 8000u

/* Who arrived when. */
struct log {
    uint32_t numbers[LOG_MAX];
    weir_time times[LOG_MAX];
    uint32_t count;
};

/* Serves the link at each of its deadlines up to `until`. */
static void advance(struct wire *wire, struct log *log, weir_time until)
{
    weir_time now;

    while ((now = wire->link->ops->deadline(wire->link)) <= until && now != WEIR_NEVER) {
        int64_t number;

        wire->link->ops->flush(wire->link, now);
        while ((number = take(wire)) >= 0) {
            assert_true(log->count < LOG_MAX);
            log->numbers[log->count] = (uint32_t)number;
            log->times[log->count++] = now;
        }
    }
}

/* Sends `count` packets, one each `interval`, and waits for all. The caller frees the log. */
static struct log *converse(struct wire *wire, uint32_t count, weir_time interval)
{
    struct log *log = calloc(1, sizeof(*log));

    for (uint32_t number = 0; number < count; number++) {
        advance(wire, log, number * interval);
        assert_int_equal(send_sized(wire, number, BYTES, number * interval), 0);
    }
    advance(wire, log, WEIR_NEVER);
    return log;
}

/* Sends COUNT packets at time 0 and counts what arrives. */
static uint32_t survivors(const struct weir_impair *set, struct weir_impair_counts *counts)
{
    struct wire wire;
    uint32_t arrived = 0;

    wire_open(&wire, set, QUEUE);
    for (uint32_t number = 0; number < COUNT; number++) {
        send_one(&wire, number, 0);
        while (take(&wire) >= 0)
            arrived++;
    }
    *counts = counts_of(&wire);
    wire_close(&wire);
    return arrived;
}

/* ---- Straight through --------------------------------------------------------------------------- */

static void test_idle_passes_straight_through(void **state)
{
    static const struct weir_impair none = {.seed = 5, .queue_packets = 1};
    struct weir_frame lent, got;
    struct wire wire;

    (void)state;
    wire_open(&wire, &none, 4);
    assert_int_equal(wire.link->mtu, MTU);
    assert_int_equal(wire.link->ops->fd(wire.link), -1);
    assert_true(wire.link->ops->deadline(wire.link) == WEIR_NEVER);
    assert_int_equal(wire.link->ops->begin(wire.link, BYTES, 0, &lent), 0);
    wire.link->ops->abort(wire.link, &lent);
    assert_int_equal(wire.link->ops->begin(wire.link, BYTES, 0, &lent), 0);
    wire.link->ops->commit(wire.link, &lent, 0);
    assert_int_equal(weir_hub_pending(wire.hub, 1), 0);
    wire.link->ops->flush(wire.link, 0);
    assert_int_equal(wire.far->ops->receive(wire.far, &got, 1, 0), 1);
    assert_ptr_equal(got.data, lent.data); /* no copy */
    for (uint32_t number = 0; number < 4; number++)
        assert_int_equal(send_sized(&wire, number, BYTES, 0), 0);
    assert_false(wire.link->ops->ready(wire.link, 0));
    assert_int_equal(send_sized(&wire, 4, BYTES, 0), WEIR_EAGAIN);
    assert_true(wire.link->refused);
    wire_close(&wire);
}

static void test_receive_passes_through(void **state)
{
    static const struct weir_impair all = {.loss = 1, .delay_ns = WEIR_SECOND};
    struct weir_frame frame;
    struct wire wire;

    (void)state;
    wire_open(&wire, &all, 4);
    assert_int_equal(wire.far->ops->begin(wire.far, BYTES, 0, &frame), 0);
    fill(frame.data, BYTES, 77);
    wire.far->ops->commit(wire.far, &frame, 0);
    wire.far->ops->flush(wire.far, 0);
    assert_int_equal(wire.link->ops->receive(wire.link, &frame, 1, 0), 1);
    assert_int_equal(frame.data[0], 77);
    wire_close(&wire);
}

static void test_sizes(void **state)
{
    static const struct weir_impair delay = {.delay_ns = 10};
    struct weir_frame got;
    struct wire wire;

    (void)state;
    wire_open(&wire, &delay, 4);
    assert_int_equal(send_sized(&wire, 1, MTU + 1, 0), WEIR_EMSGSIZE);
    assert_int_equal(send_sized(&wire, 1, MTU, 0), 0);
    wire.link->ops->flush(wire.link, 10);
    assert_int_equal(wire.far->ops->receive(wire.far, &got, 1, 0), 1);
    assert_int_equal(got.length, MTU);
    assert_int_equal(got.why, 3);
    for (uint32_t index = 4; index < MTU; index++)
        assert_int_equal(got.data[index], (uint8_t)(1 + index));
    wire_close(&wire);
}

static void test_bad_values_leave_the_inner_link(void **state)
{
    static const struct weir_impair bad = {.loss = 1.5}, good = {.loss = 0.5};
    struct weir_hub *hub = weir_hub_create(2, MTU, 4);
    struct weir_link *link;

    (void)state;
    assert_null(weir_impair_create(weir_hub_port(hub, 0), &bad));
    link = weir_impair_create(weir_hub_port(hub, 0), &good);
    assert_non_null(link);
    assert_int_equal(weir_impair_set(link, &bad), WEIR_EINVAL);
    assert_int_equal(weir_impair_set(link, &good), 0);
    link->ops->destroy(link);
    weir_hub_destroy(hub);
}

/* ---- Loss ----------------------------------------------------------------------------------------- */

static void test_loss_rate(void **state)
{
    static const double rates[] = {0.01, 0.02, 0.1, 0.5};
    struct weir_impair_counts counts;

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        for (size_t index = 0; index < sizeof(rates) / sizeof(rates[0]); index++) {
            struct weir_impair set = {.loss = rates[index], .seed = seed};
            uint32_t lost = COUNT - survivors(&set, &counts);
            double expected = rates[index] * COUNT;
            double off = (double)lost - expected;

            assert_int_equal(counts.lost, lost);
            /* five standard deviations */
            if (off * off > 25 * expected * (1 - rates[index]))
                fail_msg("seed %d rate %g: lost %u", (int)seed, rates[index], lost);
        }
    }
}

static void test_loss_of_all_and_none(void **state)
{
    static const struct weir_impair all = {.loss = 1}, none = {.delay_ns = 0, .reorder = 0};
    struct weir_impair_counts counts;

    (void)state;
    assert_int_equal(survivors(&all, &counts), 0);
    assert_int_equal(counts.lost, COUNT);
    assert_int_equal(survivors(&none, &counts), COUNT);
    assert_int_equal(counts.sent, COUNT);
    assert_int_equal(counts.bytes, (uint64_t)COUNT * BYTES);
}

/* Mean length of the runs of missing numbers. */
static double mean_burst(const struct weir_impair *set, uint32_t *bursts)
{
    struct wire wire;
    int64_t last = -1, number;
    uint32_t lost = 0;

    *bursts = 0;
    wire_open(&wire, set, QUEUE);
    for (uint32_t index = 0; index < COUNT * 5; index++) {
        send_one(&wire, index, 0);
        number = take(&wire);
        if (number < 0)
            continue;
        if (number > last + 1) {
            lost += (uint32_t)(number - last - 1);
            ++*bursts;
        }
        last = number;
    }
    wire_close(&wire);
    return (double)lost / *bursts;
}

static void test_burst_length(void **state)
{
    static const struct {
        double asked, least, most;
    } rows[] = {{1, 1, 1.1}, {0, 4.5, 5.5}, {10, 9, 11.3}};

    (void)state;
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        struct weir_impair set = {.burst_loss = 0.01, .burst_length = rows[index].asked, .seed = 9};
        uint32_t bursts;
        double mean = mean_burst(&set, &bursts);

        if (mean < rows[index].least || mean > rows[index].most)
            fail_msg("burst length %g: mean %g", rows[index].asked, mean);
        assert_true(bursts > 700 && bursts < 1200);
    }
}

/* ---- Content ---------------------------------------------------------------------------------------- */

static unsigned wrong_bits(const struct weir_frame *frame, uint32_t number)
{
    uint8_t right[BYTES];
    unsigned count = 0;

    assert_int_equal(frame->length, BYTES);
    fill(right, BYTES, number);
    for (uint32_t index = 0; index < BYTES; index++)
        count += (unsigned)__builtin_popcount((unsigned)(right[index] ^ frame->data[index]));
    return count;
}

static void test_corrupt_flips_one_bit(void **state)
{
    static const struct weir_impair set = {.corrupt = 0.1, .seed = 4};
    struct weir_frame frame;
    uint32_t corrupted = 0, places = 0, seen[BYTES] = {0};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, 4);
    for (uint32_t number = 0; number < COUNT; number++) {
        unsigned bits;

        send_one(&wire, number, 0);
        assert_int_equal(wire.far->ops->receive(wire.far, &frame, 1, 0), 1);
        bits = wrong_bits(&frame, number);
        assert_true(bits <= 1);
        corrupted += bits;
        for (uint32_t index = 4; bits && index < BYTES; index++)
            seen[index] |= frame.data[index] != (uint8_t)(number + index);
    }
    assert_int_equal(counts_of(&wire).corrupted, corrupted);
    assert_true(corrupted > 1800 && corrupted < 2200);
    for (uint32_t index = 4; index < BYTES; index++)
        places += seen[index];
    assert_int_equal(places, BYTES - 4); /* any byte may be hit */
    wire_close(&wire);
}

static void test_corrupt_of_nothing(void **state)
{
    static const struct weir_impair set = {.corrupt = 1};
    struct weir_frame frame;
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, 4);
    assert_int_equal(wire.link->ops->begin(wire.link, 0, 0, &frame), 0);
    wire.link->ops->commit(wire.link, &frame, 0);
    wire.link->ops->flush(wire.link, 0);
    assert_int_equal(weir_hub_pending(wire.hub, 1), 1);
    wire_close(&wire);
}

static void test_duplicate(void **state)
{
    static const struct weir_impair set = {.duplicate = 0.25, .seed = 6};
    struct wire wire;
    uint32_t extra = 0;

    (void)state;
    wire_open(&wire, &set, 4);
    for (uint32_t number = 0; number < COUNT; number++) {
        int64_t copy;

        send_one(&wire, number, 0);
        assert_int_equal(take(&wire), number);
        copy = take(&wire);
        assert_true(copy == -1 || copy == number);
        extra += copy == number;
    }
    assert_int_equal(counts_of(&wire).duplicated, extra);
    assert_true(extra > 4700 && extra < 5300);
    wire_close(&wire);
}

/* ---- Time --------------------------------------------------------------------------------------------- */

static void test_delay_is_exact(void **state)
{
    static const struct weir_impair set = {.delay_ns = 10 * WEIR_MS};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    for (uint32_t number = 0; number < 100; number++)
        send_one(&wire, number, number * WEIR_US);
    for (uint32_t number = 0; number < 100; number++) {
        weir_time due = number * WEIR_US + 10 * WEIR_MS;

        assert_true(wire.link->ops->deadline(wire.link) == due);
        wire.link->ops->flush(wire.link, due - 1);
        assert_int_equal(take(&wire), -1);
        assert_int_equal(wire.link->ops->flush(wire.link, due), 0);
        assert_int_equal(take(&wire), number);
    }
    assert_true(wire.link->ops->deadline(wire.link) == WEIR_NEVER);
    wire_close(&wire);
}

static void test_rate_is_exact(void **state)
{
    /* 3 Mbit/s: 100 bytes take 266,666.67 ns; fractions must not be lost. */
    static const struct weir_impair set = {.rate_bps = 3e6, .queue_packets = 3000};
    struct wire wire;
    struct log *log;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    log = converse(&wire, 3000, 0);
    assert_int_equal(log->count, 3000);
    for (uint32_t index = 0; index < 3000; index++) {
        weir_time due = (weir_time)(index + 1) * 800000 / 3;

        assert_int_equal(log->numbers[index], index);
        assert_true(log->times[index] - due >= -1 && log->times[index] - due <= 1);
    }
    free(log);
    /* An idle wire saves nothing up. */
    send_one(&wire, 1, 10 * WEIR_SECOND);
    assert_true(wire.link->ops->deadline(wire.link) == 10 * WEIR_SECOND + 266666);
    wire_close(&wire);
}

static void test_rate_then_delay(void **state)
{
    static const struct weir_impair set = {.rate_bps = 8e6, .delay_ns = WEIR_MS};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, 4);
    send_one(&wire, 1, 0); /* 100 bytes at 1 byte a microsecond */
    assert_true(wire.link->ops->deadline(wire.link) == WEIR_MS + 100 * WEIR_US);
    wire_close(&wire);
}

static void test_jitter_keeps_order(void **state)
{
    static const struct weir_impair set = {
        .delay_ns = WEIR_MS, .jitter_ns = 5 * WEIR_MS, .queue_packets = 1000, .seed = 2};
    weir_time longest = 0;
    struct wire wire;
    struct log *log;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    log = converse(&wire, 1000, 10 * WEIR_US);
    assert_int_equal(log->count, 1000);
    for (uint32_t index = 0; index < 1000; index++) {
        weir_time took = log->times[index] - index * 10 * WEIR_US;

        assert_int_equal(log->numbers[index], index);
        assert_true(took >= WEIR_MS && took <= 6 * WEIR_MS);
        longest = took > longest ? took : longest;
    }
    assert_true(longest > 5 * WEIR_MS);
    assert_int_equal(counts_of(&wire).reordered, 0);
    free(log);
    wire_close(&wire);
}

static void test_reorder_only_when_asked(void **state)
{
    static const struct weir_impair set = {
        .delay_ns = WEIR_MS, .reorder = 0.1, .reorder_ns = 100 * WEIR_US, .seed = 8};
    uint32_t late = 0;
    struct wire wire;
    struct log *log;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    log = converse(&wire, 1000, 10 * WEIR_US);
    assert_int_equal(log->count, 1000);
    for (uint32_t index = 0; index < 1000; index++) {
        weir_time took = log->times[index] - log->numbers[index] * 10 * WEIR_US;

        if (took == WEIR_MS + 100 * WEIR_US)
            late++;
        else
            assert_true(took == WEIR_MS);
    }
    assert_int_equal(counts_of(&wire).reordered, late);
    assert_true(late > 60 && late < 140);
    free(log);
    wire_close(&wire);
}

static void test_reorder_default_time(void **state)
{
    static const struct {
        weir_time delay, expected;
    } rows[] = {{0, WEIR_MS}, {WEIR_MS, 2 * WEIR_MS}, {20 * WEIR_MS, 30 * WEIR_MS}};

    (void)state;
    for (size_t index = 0; index < 3; index++) {
        struct weir_impair set = {.delay_ns = rows[index].delay, .reorder = 1};
        struct wire wire;

        wire_open(&wire, &set, 4);
        send_one(&wire, 0, 0);
        assert_true(wire.link->ops->deadline(wire.link) == rows[index].expected);
        wire_close(&wire);
    }
}

/* ---- Bounds ------------------------------------------------------------------------------------------- */

static void test_queue_is_bounded(void **state)
{
    static const struct weir_impair set = {.delay_ns = WEIR_MS, .queue_packets = 10};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    for (uint32_t number = 0; number < 25; number++)
        send_one(&wire, number, 0);
    assert_int_equal(counts_of(&wire).queue_drops, 15);
    wire.link->ops->flush(wire.link, WEIR_MS);
    for (uint32_t number = 0; number < 10; number++)
        assert_int_equal(take(&wire), number);
    assert_int_equal(take(&wire), -1);
    assert_int_equal(counts_of(&wire).sent, 10);
    wire_close(&wire);
}

/* What falls due while the inner link is full waits there, and nobody is told to come at once. */
static void test_full_inner_link(void **state)
{
    static const struct weir_impair set = {.delay_ns = WEIR_MS};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, 2);
    for (uint32_t number = 0; number < 5; number++)
        send_one(&wire, number, 0);
    wire.link->ops->flush(wire.link, WEIR_MS);
    assert_int_equal(weir_hub_pending(wire.hub, 1), 2);
    assert_true(wire.link->ops->deadline(wire.link) == WEIR_NEVER);
    assert_false(wire.link->ops->ready(wire.link, WEIR_MS));
    assert_int_equal(send_sized(&wire, 9, BYTES, WEIR_MS), WEIR_EAGAIN);
    assert_true(wire.link->refused);
    assert_int_equal(take(&wire), 0);
    assert_true(wire.link->ops->deadline(wire.link) == WEIR_MS); /* room: come and flush */
    wire.link->ops->flush(wire.link, WEIR_MS);
    assert_int_equal(take(&wire), 1);
    assert_int_equal(take(&wire), 2);
    assert_true(wire.link->ops->ready(wire.link, WEIR_MS));
    wire.link->ops->flush(wire.link, WEIR_MS);
    assert_int_equal(take(&wire), 3);
    assert_int_equal(take(&wire), 4);
    assert_int_equal(take(&wire), -1);
    assert_int_equal(counts_of(&wire).queue_drops, 0);
    wire_close(&wire);
}

static void test_set_while_in_use(void **state)
{
    struct weir_impair set = {.delay_ns = 10 * WEIR_MS};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, QUEUE);
    send_one(&wire, 0, 0);
    set.delay_ns = 0;
    assert_int_equal(weir_impair_set(wire.link, &set), 0);
    send_one(&wire, 1, WEIR_MS); /* nothing is impaired, but it must not overtake */
    assert_int_equal(take(&wire), -1);
    wire.link->ops->flush(wire.link, 10 * WEIR_MS);
    assert_int_equal(take(&wire), 0);
    assert_int_equal(take(&wire), 1);
    send_one(&wire, 2, 11 * WEIR_MS);
    assert_int_equal(take(&wire), 2);
    wire_close(&wire);
}

/* Destroying a link with packets in it must free them (seen by the sanitizer). */
static void test_destroy_with_held_packets(void **state)
{
    static const struct weir_impair set = {.delay_ns = WEIR_SECOND, .duplicate = 0.5};
    struct wire wire;

    (void)state;
    wire_open(&wire, &set, 4);
    for (uint32_t number = 0; number < 200; number++)
        send_one(&wire, number, 0);
    wire_close(&wire);
}

/* ---- Determinism ------------------------------------------------------------------------------------- */

static uint64_t fate(const struct weir_impair *set)
{
    uint64_t hash = 1469598103934665603u;
    struct wire wire;
    struct log *log;

    wire_open(&wire, set, QUEUE);
    log = converse(&wire, 3000, 10 * WEIR_US);
    for (uint32_t index = 0; index < log->count; index++) {
        hash = (hash ^ log->numbers[index]) * 1099511628211u;
        hash = (hash ^ (uint64_t)log->times[index]) * 1099511628211u;
    }
    free(log);
    wire_close(&wire);
    return hash;
}

static void test_equal_seeds_equal_fates(void **state)
{
    struct weir_impair set = {.loss = 0.1,
                              .burst_loss = 0.01,
                              .duplicate = 0.1,
                              .reorder = 0.1,
                              .delay_ns = WEIR_MS,
                              .jitter_ns = WEIR_MS,
                              .rate_bps = 1e9,
                              .queue_packets = 5000,
                              .seed = 42};
    uint64_t first = fate(&set);

    (void)state;
    assert_true(fate(&set) == first);
    set.seed = 43;
    assert_true(fate(&set) != first);
}

/* Switching one effect on leaves the dice of another alone. */
static void test_effects_are_independent(void **state)
{
    struct weir_impair set = {.loss = 0.1, .seed = 5};
    struct weir_impair_counts alone, together;

    (void)state;
    survivors(&set, &alone);
    set.corrupt = 0.5;
    set.duplicate = 0.5;
    survivors(&set, &together);
    assert_int_equal(alone.lost, together.lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_passes_straight_through),
        cmocka_unit_test(test_receive_passes_through),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bad_values_leave_the_inner_link),
        cmocka_unit_test(test_loss_rate),
        cmocka_unit_test(test_loss_of_all_and_none),
        cmocka_unit_test(test_burst_length),
        cmocka_unit_test(test_corrupt_flips_one_bit),
        cmocka_unit_test(test_corrupt_of_nothing),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_delay_is_exact),
        cmocka_unit_test(test_rate_is_exact),
        cmocka_unit_test(test_rate_then_delay),
        cmocka_unit_test(test_jitter_keeps_order),
        cmocka_unit_test(test_reorder_only_when_asked),
        cmocka_unit_test(test_reorder_default_time),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_full_inner_link),
        cmocka_unit_test(test_set_while_in_use),
        cmocka_unit_test(test_destroy_with_held_packets),
        cmocka_unit_test(test_equal_seeds_equal_fates),
        cmocka_unit_test(test_effects_are_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
