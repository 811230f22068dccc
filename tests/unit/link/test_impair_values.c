/* SPDX-License-Identifier: MIT */

/* The text form of the impair values: what each key sets, and what is refused without a trace. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <link/impair.h>
#include <string.h>
#include <weir/error.h>

static struct weir_impair parsed(const char *text)
{
    struct weir_impair set;

    memset(&set, 0, sizeof(set));
    assert_int_equal(weir_impair_parse(&set, text), 0);
    return set;
}

static void test_each_key(void **state)
{
    (void)state;
    assert_true(parsed("loss=0.02").loss == 0.02);
    assert_true(parsed("loss=1").loss == 1.0);
    assert_true(parsed("loss=.5").loss == 0.5);
    assert_true(parsed("loss=1.").loss == 1.0);
    assert_true(parsed("burst_loss=0.001").burst_loss == 0.001);
    assert_true(parsed("burst_length=7.5").burst_length == 7.5);
    assert_true(parsed("corrupt=0.25").corrupt == 0.25);
    assert_true(parsed("duplicate=0.1").duplicate == 0.1);
    assert_true(parsed("reorder=0.3").reorder == 0.3);
    assert_true(parsed("reorder_ms=3").reorder_ns == 3 * WEIR_MS);
    assert_true(parsed("delay_ms=10").delay_ns == 10 * WEIR_MS);
    assert_true(parsed("delay_ms=0.0005").delay_ns == 500);
    assert_true(parsed("jitter_ms=2.5").jitter_ns == 2500 * WEIR_US);
    assert_true(parsed("rate_mbit=5").rate_bps == 5e6);
    assert_true(parsed("rate_mbit=0.064").rate_bps == 64000);
    assert_int_equal(parsed("queue_packets=50").queue_packets, 50);
    assert_true(parsed("seed=18446744073709551615").seed == UINT64_MAX);
}

static void test_keys_add_up(void **state)
{
    struct weir_impair set;

    (void)state;
    memset(&set, 0, sizeof(set));
    assert_int_equal(weir_impair_parse(&set, "loss=0.1"), 0);
    assert_int_equal(weir_impair_parse(&set, "delay_ms=4"), 0);
    assert_int_equal(weir_impair_parse(&set, "loss=0.2"), 0);
    assert_true(set.loss == 0.2);
    assert_true(set.delay_ns == 4 * WEIR_MS);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "=",
        "loss",
        "loss=",
        "=0.1",
        "los=0.1",
        "losss=0.1",
        "LOSS=0.1",
        " loss=0.1",
        "loss =0.1",
        "loss= 0.1",
        "loss=0.1 ",
        "loss=0,1",
        "loss=-0.1",
        "loss=+0.1",
        "loss=1.01",
        "loss=2",
        "loss=nan",
        "loss=inf",
        "loss=0x1",
        "loss=1e-3",
        "loss=.",
        "loss=0.1.1",
        "loss=0.1x",
        "loss==0.1",
        "loss=0.1=",
        "corrupt=9",
        "duplicate=-1",
        "reorder=1.1",
        "burst_loss=3",
        "delay_ms=-1",
        "delay_ms=3600001",
        "delay_ms=99999999999999999999999999",
        "jitter_ms=x",
        "burst_length=0.5",
        "burst_length=2000000000",
        "rate_mbit=0.0000001",
        "rate_mbit=2000000000",
        "queue_packets=1.5",
        "queue_packets=-1",
        "queue_packets=4294967296",
        "queue_packets=16777217",
        "seed=18446744073709551616",
        "seed=-1",
        "seed=1.0",
        "seed=",
        "seed=99999999999999999999999",
        "delay_ns=5",
        "rate_bps=5",
    };
    struct weir_impair set, before;

    (void)state;
    memset(&set, 0, sizeof(set));
    set.loss = 0.5;
    set.seed = 3;
    before = set;
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        if (weir_impair_parse(&set, bad[index]) != WEIR_EINVAL)
            fail_msg("\"%s\" was taken", bad[index]);
        assert_memory_equal(&set, &before, sizeof(set));
    }
}

static void test_valid(void **state)
{
    struct weir_impair set = {0};

    (void)state;
    assert_true(impair_is_valid(&set));
    set.loss = 1;
    set.burst_length = 1;
    set.rate_bps = 1;
    assert_true(impair_is_valid(&set));
    set.delay_ns = -1;
    assert_false(impair_is_valid(&set));
    set.delay_ns = 0;
    set.loss = __builtin_nan("");
    assert_false(impair_is_valid(&set));
    set.loss = 0;
    set.rate_bps = -5;
    assert_false(impair_is_valid(&set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key),
        cmocka_unit_test(test_keys_add_up),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
