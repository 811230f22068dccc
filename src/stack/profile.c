/* SPDX-License-Identifier: MIT */

/* The profiles: every setting of a TCP, four times. Protocol code reads settings and never asks which
 * profile they came from.
 *
 *   default  what a TCP of today does
 *   strict   the RFC's own value wherever practice has another: RTO of 1 s at least, MSL of 2 minutes,
 *            RST ends TIME-WAIT
 *   brown    the Brown course's TCP: no options, 1360 bytes, no delay anywhere, short timers
 *   linux    what Linux does where it differs, for packet scripts that were written against it
 *
 * Where `default` differs from an RFC the difference is listed in docs/rfc/deviations.md. */

#include <string.h>
#include <weir/error.h>
#include <weir/settings.h>

static const struct weir_tcp_settings base = {
    .rto_initial = 1 * WEIR_SECOND,
    .rto_min = 200 * WEIR_MS,
    .rto_max = 120 * WEIR_SECOND,
    .r1_retries = 3,
    .r2_retries = 15,
    .r2_time = 100 * WEIR_SECOND,
    .syn_r2_retries = 7, /* 1 + 2 + … + 120 s: the seventh SYN leaves after 127 s */
    .syn_r2_time = 180 * WEIR_SECOND,
    .syn_ack_r2_retries = 7,
    .msl = 30 * WEIR_SECOND,
    .fin_wait_2_timeout = 60 * WEIR_SECOND,
    .delayed_ack = 40 * WEIR_MS,
    .sws_override = 200 * WEIR_MS,
    .keepalive_idle = 7200 * WEIR_SECOND,
    .keepalive_interval = 75 * WEIR_SECOND,
    .keepalive_probes = 9,
    .send_buffer = 256 * 1024,
    .receive_buffer = 65535,
    .window_max = 65535,
    .ooo_ranges_max = 256,
    .notsent_lowat = UINT32_MAX,
    .mss_default = 536,
    .mss_min = 88,
    .send_mss_option = true,
    .initial_window_segments = 10,
    .initial_window_bytes = 14600,
    .slow_start_limit = 2,
    .idle_restart = true,
    .congestion_control = "newreno",
    .ttl = 64,
    .nagle = true,
    .rst_on_lost_data = true,
    .probe_has_data = true,
    .ack_unsent_acks = true,
    .challenge_acks_per_second = 10,
};

static void make_strict(struct weir_tcp_settings *settings)
{
    settings->rto_min = 1 * WEIR_SECOND;
    settings->msl = 120 * WEIR_SECOND;
    settings->fin_wait_2_timeout = WEIR_NEVER;
    settings->rst_closes_time_wait = true;
}

static void make_brown(struct weir_tcp_settings *settings)
{
    settings->rto_min = 1 * WEIR_MS;
    settings->rto_max = 5 * WEIR_SECOND;
    settings->r2_retries = 12;
    settings->r2_time = 10 * WEIR_SECOND;
    settings->syn_r2_retries = 5;
    settings->syn_r2_time = 20 * WEIR_SECOND;
    settings->syn_ack_r2_retries = 5;
    settings->msl = 5 * WEIR_SECOND;
    settings->fin_wait_2_timeout = WEIR_NEVER;
    settings->delayed_ack = 0;
    settings->sws_override = 10 * WEIR_MS; /* for peers that send no window updates */
    settings->first_data_delay = 2 * WEIR_MS;
    settings->send_buffer = 65535;
    settings->mss_default = 1360;
    settings->mss_max = 1360;
    settings->send_mss_option = false;
    settings->ttl = 16;
    settings->nagle = false;
    settings->accept_bare_fin = true;
    settings->rst_on_lost_data = false;
}

/* R2 is tcp_retries2 = 15 as a time: what 15 doublings of 200 ms, the last six of 120 s each, make. */
static void make_linux_timers(struct weir_tcp_settings *settings)
{
    settings->rto_variance_min = 200 * WEIR_MS;
    settings->r2_retries = 1;
    settings->r2_time = 924600 * WEIR_MS;
    settings->r2_from_retransmission = true;
    settings->syn_r2_retries = 6; /* the last SYN leaves after 63 s, and 127 s is the end */
    settings->syn_ack_r2_retries = 5;
    settings->syn_restarts_syn_ack = true;
    settings->syn_r2_time = 0;
    settings->delayed_ack_max = 200 * WEIR_MS;
    settings->quick_acks = 16;
    settings->ack_by_peer_segment = true;
    settings->ack_on_read = true;
    settings->delay_fin_ack = true;
    settings->sws_override = 0;
    settings->invalid_ratelimit = 500 * WEIR_MS;
}

static void make_linux(struct weir_tcp_settings *settings)
{
    make_linux_timers(settings);
    settings->receive_buffer = 65536; /* half of tcp_rmem[1]: the rest is Linux's own */
    settings->window_in_segments = true;
    settings->mss_min = 48;
    settings->initial_window_bytes = 0;
    settings->syn_losses_max = 1;
    settings->slow_start_limit = 0;
    settings->dup_acks_deliver = true;
    settings->sent_fills_window = true;
    settings->frto = true;
    settings->idle_halves = true;
    settings->minshall = true;
    settings->half_window_mss = true;
    settings->keeps_segments = true;
    settings->shut_keeps_data = true;
    settings->syn_refuses_fin = true;
    settings->listener_ends_quietly = true;
    settings->probe_has_data = false;
    settings->error_keeps_data = true;
    settings->rst_closes_time_wait = true;
    settings->rst_has_ack = true;
    settings->rst_takes_ack = true;
    settings->rst_on_keepalive_end = true;
    settings->icmp_ends_opening = true;
    settings->ack_unsent_acks = false;
    settings->challenge_acks_per_second = UINT32_MAX; /* invalid_ratelimit alone counts */
}

void weir_profile(enum weir_profile profile, struct weir_tcp_settings *settings)
{
    *settings = base;
    if (profile == WEIR_PROFILE_STRICT)
        make_strict(settings);
    else if (profile == WEIR_PROFILE_BROWN)
        make_brown(settings);
    else if (profile == WEIR_PROFILE_LINUX)
        make_linux(settings);
}

int weir_profile_parse(const char *name, enum weir_profile *profile)
{
    static const char *const names[] = {"default", "strict", "brown", "linux"};
    unsigned i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(name, names[i])) {
            *profile = (enum weir_profile)i;
            return 0;
        }
    }
    return WEIR_EINVAL;
}
