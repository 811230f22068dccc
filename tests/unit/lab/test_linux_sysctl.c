/* SPDX-License-Identifier: MIT */

/* Linux's names of settings: what each does to ours, and which are refused. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/linux/linux.h>
#include <string.h>
#include <weir/stack.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD(field) \
    offsetof(struct weir_tcp_settings, field), sizeof(((struct weir_tcp_settings *)0)->field)

struct fixture {
    struct weir_stack_config stack;
    struct linux_config config;
};

static void prepare(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    weir_stack_config_init(&f->stack);
    weir_profile(WEIR_PROFILE_LINUX, &f->stack.tcp);
}

static int64_t field_of(const struct weir_tcp_settings *tcp, size_t offset, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)tcp + offset, size); /* little-endian, as all we run on */
    return (int64_t)value;
}

/* clang-format off */
static const struct {
    const char *name, *value;
    size_t offset, size;
    int64_t want;
} taken[] = {
    {"net.ipv4.tcp_syn_retries", "3", FIELD(syn_r2_retries), 3},
    {"net/ipv4/tcp_syn_retries", "4", FIELD(syn_r2_retries), 4},
    {"/proc/sys/net/ipv4/tcp_syn_retries", " 5 \n", FIELD(syn_r2_retries), 5},
    {"net.ipv4.tcp_synack_retries", "2", FIELD(syn_ack_r2_retries), 2},
    {"net.ipv4.tcp_syn_linear_timeouts", "4", FIELD(syn_linear_retries), 4},
    {"net.ipv4.tcp_retries1", "4", FIELD(r1_retries), 4},
    {"net.ipv4.tcp_retries2", "15", FIELD(r2_time), 924600 * WEIR_MS},
    {"net.ipv4.tcp_retries2", "3", FIELD(r2_time), 3000 * WEIR_MS},
    {"net.ipv4.tcp_retries2", "0", FIELD(r2_time), 200 * WEIR_MS},
    {"net.ipv4.tcp_fin_timeout", "30", FIELD(fin_wait_2_timeout), 30 * WEIR_SECOND},
    {"net.ipv4.tcp_keepalive_time", "10", FIELD(keepalive_idle), 10 * WEIR_SECOND},
    {"net.ipv4.tcp_keepalive_intvl", "0x10", FIELD(keepalive_interval), 16 * WEIR_SECOND},
    {"net.ipv4.tcp_keepalive_probes", "5", FIELD(keepalive_probes), 5},
    {"net.ipv4.tcp_invalid_ratelimit", "0", FIELD(invalid_ratelimit), 0},
    {"net.ipv4.tcp_rfc1337", "1", FIELD(rst_closes_time_wait), 0},
    {"net.ipv4.tcp_rfc1337", "0", FIELD(rst_closes_time_wait), 1},
    {"net.ipv4.tcp_slow_start_after_idle", "0", FIELD(idle_restart), 0},
    {"net.ipv4.tcp_slow_start_after_idle", "1", FIELD(idle_restart), 1},
    {"net.ipv4.tcp_rto_min_us", "5000", FIELD(rto_variance_min), 5 * WEIR_MS},
    {"net.ipv4.tcp_rto_max_ms", "60000", FIELD(rto_max), 60 * WEIR_SECOND},
    {"net.ipv4.tcp_rmem", "4096 131072 6291456", FIELD(receive_buffer), 65536},
    {"net.ipv4.tcp_rmem", "4096\t20000\t30000", FIELD(window_max), 15000},
    {"net.ipv4.tcp_rmem", "4096 540000 15728640", FIELD(window_max), 65535},
    {"net.ipv4.tcp_wmem", "4096 262144 4194304", FIELD(send_buffer), 262144},
    {"net.ipv4.tcp_wmem", "4096 16384 4194304", FIELD(send_buffer), 87040},
    {"net.ipv4.tcp_wmem", "4096 16384 20000", FIELD(send_buffer), 20000},
    {"net.ipv4.tcp_min_snd_mss", "200", FIELD(mss_min), 200},
    {"net.ipv4.tcp_workaround_signed_windows", "1", FIELD(window_max), 32767},
    {"net.ipv4.tcp_challenge_ack_limit", "7", FIELD(challenge_acks_per_second), 7},
    {"net.ipv4.tcp_notsent_lowat", "16384", FIELD(notsent_lowat), 16384},
    {"net.ipv4.tcp_notsent_lowat", "4294967295", FIELD(notsent_lowat), UINT32_MAX},
    {"net.ipv4.ip_default_ttl", "33", FIELD(ttl), 33},
};

static const struct {
    enum linux_sysctl_result result;
    const char *name, *value;
} others[] = {
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_timestamps", "1"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_sack", "1"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_fastopen", "0x70403"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_ecn", "1"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_congestion_control", "cubic"},
    {LINUX_SYSCTL_TAKEN, "net.ipv4.tcp_congestion_control", "reno"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_congestion_control", "bbr"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_reordering", "3"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_reordering", "10"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_abort_on_overflow", "0"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_abort_on_overflow", "1"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_mtu_probing", "2"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_shrink_window", "1"},
    {LINUX_SYSCTL_MISSING, "net.ipv4.tcp_syncookies", "2"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.tcp_syncookies", "1"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_notsent_lowat", "0"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv4.conf.all.rp_filter", "0"},
    {LINUX_SYSCTL_NO_MATTER, "net.core.somaxconn", "4096"},
    {LINUX_SYSCTL_NO_MATTER, "net.core.rmem_default", "4096"},
    {LINUX_SYSCTL_NO_MATTER, "net.ipv6.conf.all.disable_ipv6", "1"},
    {LINUX_SYSCTL_UNKNOWN, "net.ipv4.tcp_nothing", "1"},
    {LINUX_SYSCTL_UNKNOWN, "net.ipv4.", "1"},
    {LINUX_SYSCTL_UNKNOWN, "tcp_syn_retries", "1"},
    {LINUX_SYSCTL_UNKNOWN, "kernel.panic", "1"},
    {LINUX_SYSCTL_UNKNOWN, "/etc/passwd", "1"},
    {LINUX_SYSCTL_UNKNOWN, "", "1"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", ""},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", " "},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", "x"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", "1x"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", "-1"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", "1 2"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_syn_retries", "99999999999999999999"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_retries2", "256"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_rmem", "4096 131072"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_rmem", "0 0 0"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_rmem", "4096 4 6291456"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_rmem", "1 2 3 4"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_wmem", "1 2 99999999999"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.ip_default_ttl", "0"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.ip_default_ttl", "256"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.ip_forward", "2"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.ipv4.tcp_mtu_probing", "on"},
    {LINUX_SYSCTL_WRONG_VALUE, "net.core.rmem_max", "0"},
};
/* clang-format on */

static void names_set_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct fixture f;
        struct weir_tcp_settings before;
        int64_t value;

        prepare(&f);
        before = f.stack.tcp;
        if (linux_sysctl(&f.stack, &f.config, taken[i].name, taken[i].value) != LINUX_SYSCTL_TAKEN)
            fail_msg("%s=%s was not taken", taken[i].name, taken[i].value);
        value = field_of(&f.stack.tcp, taken[i].offset, taken[i].size);
        if (value != taken[i].want)
            fail_msg("%s=%s made %lld, not %lld", taken[i].name, taken[i].value, (long long)value,
                     (long long)taken[i].want);
        if (strstr(taken[i].name, "mem") || strstr(taken[i].name, "retries2"))
            continue; /* these set two fields */
        memcpy((char *)&f.stack.tcp + taken[i].offset, (char *)&before + taken[i].offset,
               taken[i].size);
        assert_memory_equal(&f.stack.tcp, &before, sizeof(before)); /* and nothing else */
    }
}

static void others_set_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        enum linux_sysctl_result result;
        struct fixture f, before;

        prepare(&f);
        before = f;
        result = linux_sysctl(&f.stack, &f.config, others[i].name, others[i].value);
        if (result != others[i].result)
            fail_msg("%s=%s gave %d, not %d", others[i].name, others[i].value, result,
                     others[i].result);
        if (others[i].result == LINUX_SYSCTL_UNKNOWN || others[i].result == LINUX_SYSCTL_NO_MATTER)
            assert_memory_equal(&f, &before, sizeof(before));
    }
}

static void limits_of_buffers(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    assert_int_equal(linux_sysctl(&f.stack, &f.config, "net.core.rmem_max", "212992"),
                     LINUX_SYSCTL_TAKEN);
    assert_int_equal(linux_sysctl(&f.stack, &f.config, "net.core.wmem_max", "1000"),
                     LINUX_SYSCTL_TAKEN);
    assert_int_equal(f.config.rmem_max, 212992);
    assert_int_equal(f.config.wmem_max, 1000);
    assert_int_equal(linux_sysctl(&f.stack, &f.config, "net.ipv4.ip_forward", "1"),
                     LINUX_SYSCTL_TAKEN);
    assert_true(f.stack.forwarding);
}

static void a_name_of_any_length(void **state)
{
    struct fixture f;
    char name[1000];

    (void)state;
    prepare(&f);
    for (size_t length = 0; length < sizeof(name); length += 7) {
        memset(name, 'x', sizeof(name));
        memcpy(name, "net.core.", 9);
        name[length] = '\0';
        linux_sysctl(&f.stack, &f.config, name, "1");
    }
    name[999] = '\0';
    assert_int_equal(linux_sysctl(&f.stack, &f.config, name, "1"), LINUX_SYSCTL_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_set_fields),
        cmocka_unit_test(others_set_nothing),
        cmocka_unit_test(limits_of_buffers),
        cmocka_unit_test(a_name_of_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
