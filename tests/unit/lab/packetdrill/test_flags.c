/* SPDX-License-Identifier: MIT */

/* --so_flags: every flag, the defaults, and everything that is wrong. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lab/packetdrill/flags.h>
#include <string.h>

static struct so_flags good(const char *text)
{
    struct so_flags flags;
    char error[256] = "";

    if (!so_flags_parse(&flags, text, error, sizeof(error)))
        fail_msg("%s: %s", text, error);
    return flags;
}

static void test_defaults(void **state)
{
    static const char *const texts[] = {NULL, "", "time=virtual,profile=linux,seed=1,sysctl=1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct so_flags flags = good(texts[i]);

        assert_false(flags.is_real);
        assert_true(flags.has_sysctls);
        assert_int_equal(flags.profile, WEIR_PROFILE_LINUX);
        assert_int_equal(flags.seed, 1);
        assert_int_equal(flags.mtu, 1500);
        assert_string_equal(flags.pcap, "");
    }
}

static void test_values(void **state)
{
    struct so_flags flags = good("time=real,profile=strict,seed=0xffffffffffffffff,"
                                 "pcap=/tmp/a=b.pcap,sysctl=0");

    (void)state;
    assert_true(flags.is_real);
    assert_false(flags.has_sysctls);
    assert_int_equal(flags.profile, WEIR_PROFILE_STRICT);
    assert_int_equal(flags.seed, UINT64_MAX);
    assert_string_equal(flags.pcap, "/tmp/a=b.pcap");
    assert_int_equal(good("seed=12").seed, 12);
    assert_int_equal(good("mtu=68").mtu, 68);
    assert_int_equal(good("mtu=65535").mtu, 65535);
    assert_int_equal(good("seed=12,seed=0").seed, 0);
    assert_false(good("time=real,time=virtual").is_real);
}

/* What is wrong is named. */
static void test_wrong(void **state)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        {"colour=red", "colour"},
        {"time", "time"},
        {"time=", "time"},
        {"time=slow", "slow"},
        {"time=Real", "Real"},
        {"profile=windows", "windows"},
        {"seed=", "seed"},
        {"seed=-1", "-1"},
        {"seed=12x", "12x"},
        {"seed= 1", "seed"},
        {"seed=18446744073709551616", "18446744073709551616"},
        {"pcap=", "pcap"},
        {"sysctl=2", "sysctl"},
        {"mtu=67", "67"},
        {"mtu=65536", "65536"},
        {"mtu=0x100", "0x100"},
        {"mtu=", "mtu"},
        {"mtu=99999999999999999999", "mtu"},
        {"sysctl=10", "sysctl"},
        {"sysctl=", "sysctl"},
        {",", "unknown"},
        {"seed=1,", "comma"},
        {"seed=1,,time=real", "unknown"},
        {"virtual", "virtual"},
    };
    struct so_flags flags;
    char error[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (so_flags_parse(&flags, rows[i].text, error, sizeof(error)))
            fail_msg("%s: taken", rows[i].text);
        if (!strstr(error, rows[i].named))
            fail_msg("%s: %s", rows[i].text, error);
    }
}

static void test_too_long(void **state)
{
    char text[FLAGS_PATH_MAX + 100], error[256];
    struct so_flags flags;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_false(so_flags_parse(&flags, text, error, sizeof(error)));
    memcpy(text, "pcap=", 5);
    text[5 + FLAGS_PATH_MAX] = '\0';
    assert_false(so_flags_parse(&flags, text, error, sizeof(error)));
    text[5 + FLAGS_PATH_MAX - 1] = '\0';
    assert_true(so_flags_parse(&flags, text, error, sizeof(error)));
    assert_int_equal(strlen(flags.pcap), FLAGS_PATH_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
