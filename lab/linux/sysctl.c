/* SPDX-License-Identifier: MIT */

/* Linux's names of settings, as sysctl(8) and /proc/sys spell them, in terms of ours.
 *
 * A table from name to what it does here: a field of the settings, with its unit; a value that makes
 * no difference; or the one value that does not turn on a mechanism which weir lacks. Names that
 * belong to a whole family (net.ipv4.conf.*) are matched by their beginning. The rule for what is
 * missing: where a script's own packets or calls show that it needs the mechanism (an option, ECN,
 * TCP_FASTOPEN), the name makes no difference, since the script is judged by those; where nothing
 * else would tell, it is MISSING. So tcp_timestamps, tcp_sack, tcp_fastopen and tcp_congestion_control
 * = cubic make no difference: cubic and reno part ways only after a loss.
 *
 * What is approximated:
 *
 *   tcp_rmem   half of the middle value is the receive buffer: Linux counts its own overhead in the
 *              other half (tcp_adv_win_scale = 1); half of the last bounds the window
 *   tcp_wmem   Linux grows the buffer with cwnd; here it is the middle value, or the 87,040 bytes that
 *              Linux comes to with its first window, but no more than the last value
 *   tcp_retries2   a time, as in Linux: what so many time-outs from 200 ms take; the rest is R1, R2
 *   net.core.rmem_max, wmem_max   bound SO_RCVBUF and SO_SNDBUF */

#include <errno.h>
#include <lab/linux/linux.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 3
#define NAME_MAX_BYTES 128
#define WMEM_FIRST 87040 /* what Linux's send buffer grows to with the first window */
#define RTO_MIN (200 * WEIR_MS)
#define RTO_MAX (120 * WEIR_SECOND)

enum action {
    NO_MATTER, /* any value */
    ONLY,      /* `number` makes no difference, any other is missing */
    SECONDS,   /* into a weir_time at `offset` */
    MILLIS,
    MICROS,
    COUNT32,  /* into an uint32_t at `offset` */
    FLAG,     /* into a bool at `offset`: 0 or not */
    FLAG_NOT, /* the other way round */
    SPECIAL   /* a function below */
};

struct row {
    const char *name; /* without "net.ipv4.", unless it begins with "net." */
    enum action action;
    size_t offset; /* in struct weir_tcp_settings */
    long long number;
};

#define FIELD(field) offsetof(struct weir_tcp_settings, field)

/* clang-format off */
static const struct row rows[] = {
    {"tcp_abort_on_overflow",        ONLY,      0, 0},
    {"tcp_adv_win_scale",            NO_MATTER, 0, 0},
    {"tcp_allowed_congestion_control", NO_MATTER, 0, 0},
    {"tcp_ao_enforce",               ONLY,      0, 0},
    {"tcp_app_win",                  NO_MATTER, 0, 0},
    {"tcp_autocorking",              NO_MATTER, 0, 0},
    {"tcp_available_congestion_control", NO_MATTER, 0, 0},
    {"tcp_available_ulp",            NO_MATTER, 0, 0},
    {"tcp_backlog_ack_defer",        NO_MATTER, 0, 0},
    {"tcp_base_mss",                 NO_MATTER, 0, 0},
    {"tcp_challenge_ack_limit",      SPECIAL,   0, 0},
    {"tcp_child_ehash_entries",      NO_MATTER, 0, 0},
    {"tcp_comp_sack_delay_ns",       NO_MATTER, 0, 0},
    {"tcp_comp_sack_nr",             NO_MATTER, 0, 0},
    {"tcp_comp_sack_rtt_percent",    NO_MATTER, 0, 0},
    {"tcp_comp_sack_slack_ns",       NO_MATTER, 0, 0},
    {"tcp_congestion_control",       SPECIAL,   0, 0},
    {"tcp_dsack",                    NO_MATTER, 0, 0},
    {"tcp_early_demux",              NO_MATTER, 0, 0},
    {"tcp_early_retrans",            NO_MATTER, 0, 0},
    {"tcp_ecn",                      NO_MATTER, 0, 0},
    {"tcp_ecn_fallback",             NO_MATTER, 0, 0},
    {"tcp_ecn_option",               NO_MATTER, 0, 0},
    {"tcp_ecn_option_beacon",        NO_MATTER, 0, 0},
    {"tcp_ehash_entries",            NO_MATTER, 0, 0},
    {"tcp_fack",                     NO_MATTER, 0, 0},
    {"tcp_fastopen",                 NO_MATTER, 0, 0},
    {"tcp_fastopen_blackhole_timeout_sec", NO_MATTER, 0, 0},
    {"tcp_fastopen_key",             NO_MATTER, 0, 0},
    {"tcp_fin_timeout",              SECONDS,   FIELD(fin_wait_2_timeout), 0},
    {"tcp_frto",                     FLAG,      FIELD(frto), 0},
    {"tcp_fwmark_accept",            NO_MATTER, 0, 0},
    {"tcp_invalid_ratelimit",        MILLIS,    FIELD(invalid_ratelimit), 0},
    {"tcp_keepalive_intvl",          SECONDS,   FIELD(keepalive_interval), 0},
    {"tcp_keepalive_probes",         COUNT32,   FIELD(keepalive_probes), 0},
    {"tcp_keepalive_time",           SECONDS,   FIELD(keepalive_idle), 0},
    {"tcp_l3mdev_accept",            NO_MATTER, 0, 0},
    {"tcp_limit_output_bytes",       NO_MATTER, 0, 0},
    {"tcp_low_latency",              NO_MATTER, 0, 0},
    {"tcp_max_orphans",              NO_MATTER, 0, 0},
    {"tcp_max_reordering",           NO_MATTER, 0, 0},
    {"tcp_max_ssthresh",             ONLY,      0, 0},
    {"tcp_max_syn_backlog",          NO_MATTER, 0, 0},
    {"tcp_max_tw_buckets",           NO_MATTER, 0, 0},
    {"tcp_mem",                      NO_MATTER, 0, 0},
    {"tcp_migrate_req",              NO_MATTER, 0, 0},
    {"tcp_min_rtt_wlen",             NO_MATTER, 0, 0},
    {"tcp_min_snd_mss",              SPECIAL,   0, 0},
    {"tcp_min_tso_segs",             NO_MATTER, 0, 0},
    {"tcp_moderate_rcvbuf",          NO_MATTER, 0, 0},
    {"tcp_mtu_probe_floor",          NO_MATTER, 0, 0},
    {"tcp_mtu_probing",              ONLY,      0, 0},
    {"tcp_no_metrics_save",          NO_MATTER, 0, 0},
    {"tcp_no_ssthresh_metrics_save", NO_MATTER, 0, 0},
    {"tcp_notsent_lowat",            SPECIAL,   0, 0},
    {"tcp_orphan_retries",           NO_MATTER, 0, 0},
    {"tcp_pacing_ca_ratio",          NO_MATTER, 0, 0},
    {"tcp_pacing_ss_ratio",          NO_MATTER, 0, 0},
    {"tcp_pingpong_thresh",          ONLY,      0, 1},
    {"tcp_plb_enabled",              ONLY,      0, 0},
    {"tcp_plb_cong_thresh",          NO_MATTER, 0, 0},
    {"tcp_plb_idle_rehash_rounds",   NO_MATTER, 0, 0},
    {"tcp_plb_rehash_rounds",        NO_MATTER, 0, 0},
    {"tcp_plb_suspend_rto_sec",      NO_MATTER, 0, 0},
    {"tcp_probe_interval",           NO_MATTER, 0, 0},
    {"tcp_probe_threshold",          NO_MATTER, 0, 0},
    {"tcp_rcvbuf_low_rtt",           NO_MATTER, 0, 0},
    {"tcp_recovery",                 NO_MATTER, 0, 0},
    {"tcp_reflect_tos",              ONLY,      0, 0},
    {"tcp_reordering",               ONLY,      0, 3},
    {"tcp_retrans_collapse",         NO_MATTER, 0, 0},
    {"tcp_retries1",                 COUNT32,   FIELD(r1_retries), 0},
    {"tcp_retries2",                 SPECIAL,   0, 0},
    {"tcp_rfc1337",                  FLAG_NOT,  FIELD(rst_closes_time_wait), 0},
    {"tcp_rmem",                     SPECIAL,   0, 0},
    {"tcp_rto_max_ms",               MILLIS,    FIELD(rto_max), 0},
    {"tcp_rto_min_us",               MICROS,    FIELD(rto_variance_min), 0},
    {"tcp_sack",                     NO_MATTER, 0, 0},
    {"tcp_shrink_window",            ONLY,      0, 0},
    {"tcp_slow_start_after_idle",    FLAG,      FIELD(idle_restart), 0},
    {"tcp_stdurg",                   NO_MATTER, 0, 0},
    {"tcp_syn_linear_timeouts",      COUNT32,   FIELD(syn_linear_retries), 0},
    {"tcp_syn_retries",              COUNT32,   FIELD(syn_r2_retries), 0},
    {"tcp_synack_retries",           COUNT32,   FIELD(syn_ack_r2_retries), 0},
    {"tcp_syncookies",               SPECIAL,   0, 0},
    {"tcp_thin_dupack",              NO_MATTER, 0, 0},
    {"tcp_thin_linear_timeouts",     ONLY,      0, 0},
    {"tcp_timestamps",               NO_MATTER, 0, 0},
    {"tcp_tso_rtt_log",              NO_MATTER, 0, 0},
    {"tcp_tso_win_divisor",          NO_MATTER, 0, 0},
    {"tcp_tw_recycle",               NO_MATTER, 0, 0},
    {"tcp_tw_reuse",                 NO_MATTER, 0, 0},
    {"tcp_tw_reuse_delay",           NO_MATTER, 0, 0},
    {"tcp_window_scaling",           NO_MATTER, 0, 0},
    {"tcp_wmem",                     SPECIAL,   0, 0},
    {"tcp_workaround_signed_windows", SPECIAL,  0, 0},
    {"ip_autobind_reuse",            NO_MATTER, 0, 0},
    {"ip_default_ttl",               SPECIAL,   0, 0},
    {"ip_dynaddr",                   NO_MATTER, 0, 0},
    {"ip_early_demux",               NO_MATTER, 0, 0},
    {"ip_forward",                   SPECIAL,   0, 0},
    {"ip_forward_use_pmtu",          NO_MATTER, 0, 0},
    {"ip_fwd_update_priority",       NO_MATTER, 0, 0},
    {"ip_local_port_range",          NO_MATTER, 0, 0},
    {"ip_local_reserved_ports",      NO_MATTER, 0, 0},
    {"ip_no_pmtu_disc",              NO_MATTER, 0, 0},
    {"ip_nonlocal_bind",             NO_MATTER, 0, 0},
    {"ip_unprivileged_port_start",   NO_MATTER, 0, 0},
    {"icmp_echo_ignore_all",         ONLY,      0, 0},
    {"net.core.rmem_max",            SPECIAL,   0, 0},
    {"net.core.somaxconn",           SPECIAL,   0, 0},
    {"net.core.wmem_max",            SPECIAL,   0, 0},
};

/* Families that make no difference; a name is looked up in `rows` first. */
static const char *const families[] = {
    "icmp_", "ipfrag_", "igmp_", "inet_peer_", "udp_", "ping_", "fib_", "neigh.", "conf.", "route.",
    "net.core.", "net.ipv6.", "net.mptcp.", "net.netfilter.",
};
/* clang-format on */

struct values {
    const char *text;
    long long numbers[VALUES_MAX];
    unsigned count; /* of numbers; 0: not all of it is numbers */
};

/* What a row of kind SPECIAL does; NULL config fields are never given. */
struct target {
    struct weir_stack_config *stack;
    struct linux_config *config;
};

static void read_values(const char *text, struct values *values)
{
    const char *at = text + strspn(text, " \t\n");

    *values = (struct values){.text = at};
    while (*at) {
        char *end;
        long long number;

        errno = 0;
        number = strtoll(at, &end, 0);
        if (end == at || errno || values->count == VALUES_MAX || (*end && !strchr(" \t\n", *end))) {
            values->count = 0;
            return;
        }
        values->numbers[values->count++] = number;
        at = end + strspn(end, " \t\n");
    }
}

static uint32_t bounded(long long number, long long most)
{
    return (uint32_t)(number < most ? number : most);
}

/* tcp_rmem and tcp_wmem: all three rise, none is zero. */
static bool is_memory(const struct values *values)
{
    return values->count == 3 && values->numbers[0] > 0 &&
           values->numbers[1] >= values->numbers[0] && values->numbers[2] >= values->numbers[1] &&
           values->numbers[2] <= INT32_MAX;
}

static bool set_receive_memory(struct weir_tcp_settings *tcp, const struct values *values)
{
    if (!is_memory(values))
        return false;
    tcp->receive_buffer = (uint32_t)(values->numbers[1] / 2);
    tcp->window_max = bounded(values->numbers[2] / 2, 65535);
    return true;
}

static bool set_send_memory(struct weir_tcp_settings *tcp, const struct values *values)
{
    long long first;

    if (!is_memory(values))
        return false;
    first = values->numbers[1] > WMEM_FIRST ? values->numbers[1] : WMEM_FIRST;
    tcp->send_buffer = bounded(first, values->numbers[2]);
    return true;
}

/* tcp_retries2 = N: the time that N + 1 time-outs take, each twice the one before. */
static bool set_retries(struct weir_tcp_settings *tcp, const struct values *values)
{
    weir_time rto = RTO_MIN, time = 0;
    long long i;

    if (values->count != 1 || values->numbers[0] < 0 || values->numbers[0] > 255)
        return false;
    for (i = 0; i <= values->numbers[0]; i++) {
        time += rto;
        rto = 2 * rto < RTO_MAX ? 2 * rto : RTO_MAX;
    }
    tcp->r2_retries = 1;
    tcp->r2_time = time;
    return true;
}

static bool is_one(const struct values *values, long long low, long long high)
{
    return values->count == 1 && values->numbers[0] >= low && values->numbers[0] <= high;
}

static enum linux_sysctl_result set_congestion_control(struct weir_tcp_settings *tcp,
                                                       const char *name)
{
    if (!strcmp(name, "reno") || !strcmp(name, "newreno")) {
        tcp->congestion_control = "newreno";
        return LINUX_SYSCTL_TAKEN;
    }
    return !strcmp(name, "cubic") ? LINUX_SYSCTL_NO_MATTER : LINUX_SYSCTL_MISSING;
}

static enum linux_sysctl_result taken_if(bool is_right)
{
    return is_right ? LINUX_SYSCTL_TAKEN : LINUX_SYSCTL_WRONG_VALUE;
}

/* One value of [low, high] into a field of 32 bits. */
static enum linux_sysctl_result set_number(uint32_t *field, const struct values *values,
                                           long long low, long long high)
{
    if (!is_one(values, low, high))
        return LINUX_SYSCTL_WRONG_VALUE;
    *field = (uint32_t)values->numbers[0];
    return LINUX_SYSCTL_TAKEN;
}

static enum linux_sysctl_result set_small(struct weir_tcp_settings *tcp, const char *name,
                                          const struct values *values)
{
    uint32_t number = 0;
    bool is_ttl = !strcmp(name, "ip_default_ttl");
    enum linux_sysctl_result result =
        set_number(&number, values, is_ttl ? 1 : 48, is_ttl ? 255 : 65535);

    if (result != LINUX_SYSCTL_TAKEN)
        return result;
    if (is_ttl)
        tcp->ttl = (uint8_t)number;
    else
        tcp->mss_min = (uint16_t)number;
    return result;
}

/* A name whose value is all that is asked: 0 or the value, which only says how. */
static enum linux_sysctl_result without(const struct values *values, long long most)
{
    if (values->count != 1)
        return LINUX_SYSCTL_WRONG_VALUE;
    return values->numbers[0] >= 0 && values->numbers[0] <= most ? LINUX_SYSCTL_NO_MATTER
                                                                 : LINUX_SYSCTL_MISSING;
}

static enum linux_sysctl_result set_windows(struct weir_tcp_settings *tcp,
                                            const struct values *values)
{
    if (!is_one(values, 0, 1))
        return LINUX_SYSCTL_WRONG_VALUE;
    tcp->window_max = values->numbers[0] ? 32767 : 65535;
    return LINUX_SYSCTL_TAKEN;
}

static enum linux_sysctl_result set_special(const struct target *to, const char *name,
                                            const struct values *values)
{
    struct weir_tcp_settings *tcp = &to->stack->tcp;

    if (!strcmp(name, "tcp_rmem"))
        return taken_if(set_receive_memory(tcp, values));
    if (!strcmp(name, "tcp_wmem"))
        return taken_if(set_send_memory(tcp, values));
    if (!strcmp(name, "tcp_retries2"))
        return taken_if(set_retries(tcp, values));
    if (!strcmp(name, "tcp_congestion_control"))
        return set_congestion_control(tcp, values->text);
    if (!strcmp(name, "tcp_challenge_ack_limit"))
        return set_number(&tcp->challenge_acks_per_second, values, 0, INT32_MAX);
    if (!strcmp(name, "tcp_notsent_lowat"))
        return set_number(&tcp->notsent_lowat, values, 1, UINT32_MAX);
    if (!strcmp(name, "tcp_syncookies"))
        return without(values, 1);
    if (!strcmp(name, "tcp_workaround_signed_windows"))
        return set_windows(tcp, values);
    if (!strcmp(name, "net.core.rmem_max"))
        return set_number(&to->config->rmem_max, values, 1, INT32_MAX);
    if (!strcmp(name, "net.core.wmem_max"))
        return set_number(&to->config->wmem_max, values, 1, INT32_MAX);
    if (!strcmp(name, "net.core.somaxconn")) /* backlogs of scripts are smaller than 128 */
        return is_one(values, 128, INT32_MAX) ? LINUX_SYSCTL_NO_MATTER : LINUX_SYSCTL_MISSING;
    if (!strcmp(name, "ip_forward")) {
        to->stack->forwarding = values->count == 1 && values->numbers[0];
        return taken_if(is_one(values, 0, 1));
    }
    return set_small(tcp, name, values);
}

static void put_time(struct weir_tcp_settings *tcp, const struct row *row, weir_time value)
{
    memcpy((char *)tcp + row->offset, &value, sizeof(value));
}

static enum linux_sysctl_result set_field(struct weir_tcp_settings *tcp, const struct row *row,
                                          const struct values *values)
{
    long long number = values->numbers[0];
    uint32_t count = (uint32_t)number;
    bool flag = (number != 0) == (row->action == FLAG);

    if (!is_one(values, 0, INT32_MAX))
        return LINUX_SYSCTL_WRONG_VALUE;
    if (row->action == SECONDS)
        put_time(tcp, row, number * WEIR_SECOND);
    else if (row->action == MILLIS)
        put_time(tcp, row, number * WEIR_MS);
    else if (row->action == MICROS)
        put_time(tcp, row, number * WEIR_US);
    else if (row->action == COUNT32)
        memcpy((char *)tcp + row->offset, &count, sizeof(count));
    else
        memcpy((char *)tcp + row->offset, &flag, sizeof(flag));
    return LINUX_SYSCTL_TAKEN;
}

/* "net/ipv4/tcp_x", "/proc/sys/net/ipv4/tcp_x" and "net.ipv4.tcp_x" become "tcp_x"; others keep their
 * "net.". False: too long. */
static bool plain_name(const char *name, char *plain)
{
    static const char proc[] = "/proc/sys/", ipv4[] = "net.ipv4.";
    size_t i;

    if (!strncmp(name, proc, sizeof(proc) - 1))
        name += sizeof(proc) - 1;
    for (i = 0; i < NAME_MAX_BYTES - 1 && name[i]; i++)
        plain[i] = name[i] == '/' ? '.' : name[i];
    plain[i] = '\0';
    if (name[i])
        return false;
    if (!strncmp(plain, ipv4, sizeof(ipv4) - 1))
        memmove(plain, plain + sizeof(ipv4) - 1, strlen(plain) - sizeof(ipv4) + 2);
    else if (strncmp(plain, "net.", 4) != 0)
        return false;
    return true;
}

static bool is_in_family(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (!strncmp(name, families[i], strlen(families[i])))
            return true;
    return false;
}

static const struct row *find_row(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

enum linux_sysctl_result linux_sysctl(struct weir_stack_config *stack, struct linux_config *config,
                                      const char *name, const char *value)
{
    const struct target target = {stack, config};
    char plain[NAME_MAX_BYTES];
    struct values values;
    const struct row *row;

    if (!plain_name(name, plain))
        return LINUX_SYSCTL_UNKNOWN;
    row = find_row(plain);
    if (!row)
        return is_in_family(plain) ? LINUX_SYSCTL_NO_MATTER : LINUX_SYSCTL_UNKNOWN;
    read_values(value, &values);
    if (!*values.text)
        return LINUX_SYSCTL_WRONG_VALUE;
    switch (row->action) {
    case NO_MATTER:
        return LINUX_SYSCTL_NO_MATTER;
    case ONLY:
        if (values.count != 1)
            return LINUX_SYSCTL_WRONG_VALUE;
        return values.numbers[0] == row->number ? LINUX_SYSCTL_NO_MATTER : LINUX_SYSCTL_MISSING;
    case SPECIAL:
        return set_special(&target, plain, &values);
    default:
        return set_field(&stack->tcp, row, &values);
    }
}
