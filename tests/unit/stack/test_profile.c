/* SPDX-License-Identifier: MIT */

/* Every field of every profile. `default` is what a TCP of today does, `strict` the RFCs' own values,
 * `brown` the course's, `linux` what Linux does; where `default` leaves an RFC it stands in
 * docs/rfc/deviations.md. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <weir/error.h>
#include <weir/settings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum type { TIME, U32, U16, U8, FLAG };

struct row {
    const char *name;
    size_t offset;
    enum type type;
    int64_t want[4]; /* default, strict, brown, linux */
};

#define ROW(field, type, a, b, c, d)                             \
    {                                                            \
#field, offsetof(struct weir_tcp_settings, field), type, \
        {                                                        \
            a, b, c, d                                           \
        }                                                        \
    }
#define S WEIR_SECOND
#define MS WEIR_MS

/* clang-format off */
static const struct row rows[] = {
    /*  field                   type  default   strict    brown       linux */
    ROW(rto_initial,               TIME, 1 * S,    1 * S,      1 * S,      1 * S),   /* 6298 2.1 */
    ROW(rto_min,                   TIME, 200 * MS, 1 * S,      1 * MS,     200 * MS),/* 6298 2.4 */
    ROW(rto_max,                   TIME, 120 * S,  120 * S,    5 * S,      120 * S), /* 2.5: ≥ 60 s */
    ROW(rto_variance_min,          TIME, 0,        0,          0,          200 * MS),
    ROW(r1_retries,                U32,  3,        3,          3,          3),       /* [SHLD-10] */
    ROW(r2_retries,                U32,  15,       15,         12,         1),
    ROW(r2_time,                   TIME, 100 * S,  100 * S,    10 * S,     924600 * MS),/* [SHLD-11] */
    ROW(syn_r2_retries,            U32,  7,        7,          5,          6),
    ROW(syn_r2_time,               TIME, 180 * S,  180 * S,    20 * S,     0),       /* [MUST-23] */
    ROW(syn_ack_r2_retries,        U32,  7,        7,          5,          5),
    ROW(syn_linear_retries,        U32,  0,        0,          0,          0),
    ROW(syn_restarts_syn_ack,      FLAG, 0,        0,          0,          1),
    ROW(r2_from_retransmission,    FLAG, 0,        0,          0,          1),
    ROW(user_timeout,              TIME, 0,        0,          0,          0),
    ROW(msl,                       TIME, 30 * S,   120 * S,    5 * S,      30 * S),  /* [MUST-13] */
    ROW(fin_wait_2_timeout,        TIME, 60 * S,   WEIR_NEVER, WEIR_NEVER, 60 * S),
    ROW(delayed_ack,               TIME, 40 * MS,  40 * MS,    0,          40 * MS), /* [MUST-40] */
    ROW(delayed_ack_max,           TIME, 0,        0,          0,          200 * MS),
    ROW(quick_acks,                U32,  0,        0,          0,          16),
    ROW(ack_by_peer_segment,       FLAG, 0,        0,          0,          1),
    ROW(delay_fin_ack,             FLAG, 0,        0,          0,          1),
    ROW(ack_on_read,               FLAG, 0,        0,          0,          1),
    ROW(sws_override,              TIME, 200 * MS, 200 * MS,   10 * MS,    0),
    ROW(first_data_delay,          TIME, 0,        0,          2 * MS,     0),
    ROW(keepalive_idle,            TIME, 7200 * S, 7200 * S,   7200 * S,   7200 * S),/* [MUST-28] */
    ROW(keepalive_interval,        TIME, 75 * S,   75 * S,     75 * S,     75 * S),
    ROW(keepalive_probes,          U32,  9,        9,          9,          9),
    ROW(send_buffer,               U32,  262144,   262144,     65535,      262144),
    ROW(receive_buffer,            U32,  65535,    65535,      65535,      65536),
    ROW(window_max,                U32,  65535,    65535,      65535,      65535),
    ROW(ooo_ranges_max,            U32,  256,      256,        256,        256),
    ROW(notsent_lowat,             U32,  UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX),
    ROW(defer_accept,              TIME, 0,        0,          0,          0),
    ROW(mss_default,               U16,  536,      536,        1360,       536),     /* [MUST-15] */
    ROW(mss_max,                   U16,  0,        0,          1360,       0),
    ROW(mss_min,                   U16,  88,       88,         88,         48),
    ROW(send_mss_option,           FLAG, 1,        1,          0,          1),       /* [SHLD-5] */
    ROW(initial_window_segments,   U16,  10,       10,         10,         10),      /* 6928 */
    ROW(initial_window_bytes,      U32,  14600,    14600,      14600,      0),       /* 6928 */
    ROW(syn_losses_max,            U32,  0,        0,          0,          1),
    ROW(slow_start_limit,          U32,  2,        2,          2,          0),       /* 3465 */
    ROW(dup_acks_deliver,          FLAG, 0,        0,          0,          1),
    ROW(frto,                      FLAG, 0,        0,          0,          1),
    ROW(sent_fills_window,         FLAG, 0,        0,          0,          1),
    ROW(idle_halves,               FLAG, 0,        0,          0,          1),
    ROW(idle_restart,              FLAG, 1,        1,          1,          1),       /* 5681 4.1 */
    ROW(ttl,                       U8,   64,       64,         16,         64),      /* [MUST-49] */
    ROW(tos,                       U8,   0,        0,          0,          0),
    ROW(nagle,                     FLAG, 1,        1,          0,          1),       /* [SHLD-7] */
    ROW(keepalive,                 FLAG, 0,        0,          0,          0),       /* [MUST-25] */
    ROW(accept_bare_fin,           FLAG, 0,        0,          1,          0),
    ROW(rst_closes_time_wait,      FLAG, 0,        1,          0,          1),       /* 1337 */
    ROW(rst_on_lost_data,          FLAG, 1,        1,          0,          1),       /* [SHLD-3] */
    ROW(error_keeps_data,          FLAG, 0,        0,          0,          1),       /* 3.10.7.4 */
    ROW(rst_has_ack,               FLAG, 0,        0,          0,          1),       /* [U-29] */
    ROW(rst_takes_ack,             FLAG, 0,        0,          0,          1),
    ROW(rst_on_keepalive_end,      FLAG, 0,        0,          0,          1),
    ROW(minshall,                  FLAG, 0,        0,          0,          1),
    ROW(half_window_mss,           FLAG, 0,        0,          0,          1),
    ROW(keeps_segments,            FLAG, 0,        0,          0,          1),
    ROW(shut_keeps_data,           FLAG, 0,        0,          0,          1),
    ROW(syn_refuses_fin,           FLAG, 0,        0,          0,          1),
    ROW(listener_ends_quietly,     FLAG, 0,        0,          0,          1),
    ROW(probe_has_data,            FLAG, 1,        1,          1,          0),       /* [MUST-36] */
    ROW(window_in_segments,        FLAG, 0,        0,          0,          1),
    ROW(icmp_ends_opening,         FLAG, 0,        0,          0,          1),
    ROW(ack_unsent_acks,           FLAG, 1,        1,          1,          0),
    ROW(challenge_acks_per_second, U32,  10,       10,         10,         UINT32_MAX),/* 5961 10 */
    ROW(invalid_ratelimit,         TIME, 0,        0,          0,          500 * MS),
};
/* clang-format on */

static size_t size_of(enum type type)
{
    static const size_t sizes[] = {sizeof(weir_time), 4, 2, 1, sizeof(bool)};

    return sizes[type];
}

static int64_t value_of(const struct weir_tcp_settings *settings, const struct row *row)
{
    const uint8_t *at = (const uint8_t *)settings + row->offset;
    weir_time time;
    uint32_t u32;
    uint16_t u16;
    bool flag;

    switch (row->type) {
    case TIME:
        memcpy(&time, at, sizeof(time));
        return time;
    case U32:
        memcpy(&u32, at, sizeof(u32));
        return u32;
    case U16:
        memcpy(&u16, at, sizeof(u16));
        return u16;
    case FLAG:
        memcpy(&flag, at, sizeof(flag));
        return flag;
    case U8:
        break;
    }
    return *at;
}

static void every_field_has_its_value(void **state)
{
    static const char *const names[] = {"default", "strict", "brown", "linux"};

    (void)state;
    for (size_t p = 0; p < COUNT(names); p++) {
        struct weir_tcp_settings settings;
        enum weir_profile profile;

        assert_int_equal(weir_profile_parse(names[p], &profile), 0);
        assert_int_equal(profile, p);
        weir_profile(profile, &settings);
        for (size_t i = 0; i < COUNT(rows); i++) {
            int64_t value = value_of(&settings, &rows[i]);

            if (value != rows[i].want[p])
                fail_msg("%s of %s is %lld, not %lld", rows[i].name, names[p], (long long)value,
                         (long long)rows[i].want[p]);
        }
        assert_string_equal(settings.congestion_control, "newreno");
    }
}

/* No field is missing above: their bytes, the pointer and the padding are the whole struct. */
static void the_table_is_complete(void **state)
{
    static uint8_t is_covered[sizeof(struct weir_tcp_settings)];
    size_t gap = 0;

    (void)state;
    memset(is_covered + offsetof(struct weir_tcp_settings, congestion_control), 1, sizeof(char *));
    for (size_t i = 0; i < COUNT(rows); i++)
        memset(is_covered + rows[i].offset, 1, size_of(rows[i].type));
    for (size_t i = 0; i < sizeof(is_covered); i++) {
        gap = is_covered[i] ? 0 : gap + 1;
        if (gap == 8)
            fail_msg("bytes %zu..%zu of the settings are in no row", i - 7, i);
    }
}

/* What the RFCs demand of any profile. */
static void every_profile_keeps_the_bounds(void **state)
{
    (void)state;
    for (int p = WEIR_PROFILE_DEFAULT; p <= WEIR_PROFILE_LINUX; p++) {
        struct weir_tcp_settings settings;

        memset(&settings, 0xff, sizeof(settings));
        weir_profile((enum weir_profile)p, &settings);
        assert_true(settings.delayed_ack < 500 * MS); /* [MUST-40] */
        assert_true(settings.sws_override <= S);      /* RFC 9293 3.8.6.2.1 */
        assert_true(settings.rto_min <= settings.rto_initial);
        assert_true(settings.rto_initial <= settings.rto_max);
        assert_true(settings.r1_retries >= 3); /* [SHLD-10] */
        assert_true(settings.r1_retries < settings.r2_retries || settings.r2_time >= 100 * S);
        assert_true(settings.window_max <= 65535); /* no window scale yet */
        assert_true(settings.mss_min <= settings.mss_default);
        if (p == WEIR_PROFILE_DEFAULT || p == WEIR_PROFILE_STRICT) {
            assert_true(settings.sws_override >= 100 * MS);
            assert_true(settings.r2_time >= 100 * S);         /* [SHLD-11] */
            assert_true(settings.syn_r2_time >= 180 * S);     /* [MUST-23] */
            assert_true(settings.rto_max >= 60 * S);          /* RFC 6298 2.5 */
            assert_true(settings.keepalive_idle >= 7200 * S); /* [MUST-28] */
        }
    }
}

static void other_names_are_no_profiles(void **state)
{
    static const char *const names[] = {"", "Default", "default ", "Linux", "brow", "browns"};
    enum weir_profile profile = WEIR_PROFILE_STRICT;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(weir_profile_parse(names[i], &profile), WEIR_EINVAL);
        assert_int_equal(profile, WEIR_PROFILE_STRICT); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_its_value),
        cmocka_unit_test(the_table_is_complete),
        cmocka_unit_test(every_profile_keeps_the_bounds),
        cmocka_unit_test(other_names_are_no_profiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
