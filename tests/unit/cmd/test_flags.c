/* SPDX-License-Identifier: MIT */

/* Command lines of vhost and vrouter: what they set, and the complaints about bad ones. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/flags.h>
#include <string.h>

#define WORDS 24

static int parse(const char *const *words, struct flags *flags, char *error)
{
    static char copies[WORDS + 1][64];
    char *argv[WORDS + 2];
    int argc;

    argv[0] = copies[0];
    strcpy(copies[0], "vhost");
    for (argc = 1; words[argc - 1]; argc++) {
        assert_true(argc <= WORDS && strlen(words[argc - 1]) < sizeof(copies[0]));
        strcpy(copies[argc], words[argc - 1]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    return flags_parse(argc, argv, flags, error);
}

static void test_defaults(void **state)
{
    static const char *const words[] = {"--config", "a.lnx", NULL};
    struct flags flags;
    char error[FLAGS_ERROR_TEXT];

    (void)state;
    assert_int_equal(parse(words, &flags, error), 0);
    assert_string_equal(flags.config, "a.lnx");
    assert_int_equal(flags.node.profile, WEIR_PROFILE_BROWN);
    assert_int_equal(flags.node.retries, -1);
    assert_true(flags.node.time_wait_seconds < 0);
    assert_true(flags.node.drop_rate == 0);
    assert_false(flags.node.skip_ip_checksum || flags.node.skip_tcp_checksum || flags.help);
    assert_int_equal(flags.log_level, LOG_WARN);
    assert_null(flags.node.capture);
}

static void check_all(const char *const *words)
{
    struct flags flags;
    char error[FLAGS_ERROR_TEXT];

    if (parse(words, &flags, error))
        fail_msg("%s", error);
    assert_string_equal(flags.config, "b");
    assert_true(flags.node.drop_rate == 0.25);
    assert_int_equal(flags.node.drop_seed, 42);
    assert_true(flags.node.skip_ip_checksum && flags.node.skip_tcp_checksum);
    assert_int_equal(flags.node.profile, WEIR_PROFILE_STRICT);
    assert_int_equal(flags.log_level, LOG_DEBUG);
    assert_string_equal(flags.node.capture, "f.pcapng");
}

/* One dash or two, the value as a word or behind an equals sign. */
static void test_forms(void **state)
{
    static const char *const one[] = {"-config=b",
                                      "-drop=0.25",
                                      "-drop-rate-seed=42",
                                      "-disable-ip-checksum",
                                      "-disable-tcp-checksum=true",
                                      "-profile=strict",
                                      "-log-level=debug",
                                      "-capture=f.pcapng",
                                      NULL};
    static const char *const two[] = {"--config=b",
                                      "--drop=0.25",
                                      "--drop-rate-seed=42",
                                      "--disable-ip-checksum=1",
                                      "--disable-tcp-checksum",
                                      "--profile=strict",
                                      "--log-level=debug",
                                      "--capture=f.pcapng",
                                      NULL};
    static const char *const words[] = {"-drop",
                                        "0.25",
                                        "--drop-rate-seed",
                                        "42",
                                        "-disable-ip-checksum",
                                        "-disable-tcp-checksum",
                                        "--profile=strict",
                                        "-log-level",
                                        "debug",
                                        "-capture",
                                        "f.pcapng",
                                        "--config",
                                        "b",
                                        NULL};

    (void)state;
    check_all(one);
    check_all(two);
    check_all(words);
}

static void test_numbers(void **state)
{
    static const char *const words[] = {"--config=a", "--config",    "c",   "--retries",
                                        "3",          "--time-wait", "0.5", NULL};
    struct flags flags;
    char error[FLAGS_ERROR_TEXT];

    (void)state;
    assert_int_equal(parse(words, &flags, error), 0);
    assert_string_equal(flags.config, "c"); /* the later one counts */
    assert_int_equal(flags.node.retries, 3);
    assert_true(flags.node.time_wait_seconds == 0.5);
}

static void test_complaints(void **state)
{
    static const struct {
        const char *words[4];
        const char *complaint;
    } rows[] = {
        {{NULL}, "flag is required: --config"},
        {{"-drop", "0.1", NULL}, "flag is required: --config"},
        {{"--config", NULL}, "flag needs a value: --config"},
        {{"--config=", NULL}, "bad value for -config: \"\""},
        {{"--foo", "--config=a", NULL}, "unknown flag: --foo"},
        {{"--config=a", "---drop", "0", NULL}, "unknown flag: ---drop"},
        {{"--config=a", "--drops=1", NULL}, "unknown flag: --drops=1"},
        {{"--config=a", "b.lnx", NULL}, "unexpected argument: b.lnx"},
        {{"--config=a", "-", NULL}, "unexpected argument: -"},
        {{"--config=a", "--", NULL}, "unknown flag: --"},
        {{"--config=a", "--drop", "1.5", NULL}, "bad value for -drop: \"1.5\""},
        {{"--config=a", "--drop", "-1", NULL}, "bad value for -drop: \"-1\""},
        {{"--config=a", "--drop", "nan", NULL}, "bad value for -drop: \"nan\""},
        {{"--config=a", "--drop", "0.1x", NULL}, "bad value for -drop: \"0.1x\""},
        {{"--config=a", "--profile", "minix", NULL}, "bad value for -profile: \"minix\""},
        {{"--config=a", "--retries", "-1", NULL}, "bad value for -retries: \"-1\""},
        {{"--config=a", "--retries=1001", NULL}, "bad value for -retries: \"1001\""},
        {{"--config=a", "--time-wait=inf", NULL}, "bad value for -time-wait: \"inf\""},
        {{"--config=a", "--log-level=loud", NULL}, "bad value for -log-level: \"loud\""},
        {{"--config=a", "--disable-ip-checksum=no", NULL},
         "bad value for -disable-ip-checksum: \"no\""},
    };
    struct flags flags;
    char error[FLAGS_ERROR_TEXT];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(parse(rows[i].words, &flags, error), WEIR_EINVAL);
        assert_string_equal(error, rows[i].complaint);
    }
}

static void test_help(void **state)
{
    static const char *const words[] = {"-help", NULL};
    struct flags flags;
    char error[FLAGS_ERROR_TEXT], text[FLAGS_USAGE_TEXT];

    (void)state;
    assert_int_equal(parse(words, &flags, error), 0);
    assert_true(flags.help);
    flags_usage("vhost", text, sizeof text);
    assert_non_null(strstr(text, "Usage: vhost --config FILE"));
    assert_non_null(strstr(text, "-drop-rate-seed N"));
    assert_true(strlen(text) + 1 < sizeof text);
    assert_int_equal(strlen(flags_usage("vhost", text, 40)), 39);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
