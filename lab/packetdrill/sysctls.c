/* SPDX-License-Identifier: MIT */

/* Settings of this machine, as settings of the stack.
 *
 * Scripts for Linux set sysctls by shell commands, and packetdrill runs these as they are. Started in
 * a network namespace of its own it changes nobody's settings, and what stands in /proc/sys afterwards
 * is what the script wants. So the table below is read when the script makes its first socket, and
 * again whenever a command may have been run (adapter.c), and given to linux_sysctl, which knows what
 * each means for us. As in `weir drill`, later settings are those of connections to come and, where
 * Linux looks at them each time, of those that live; the bounds of SO_RCVBUF and SO_SNDBUF stay.
 *
 * Whether the namespace is its own: it is not the one of process 1. If that cannot be seen (it takes
 * privileges over process 1, which `unshare --user` gives away), then whether we may write settings:
 * who cannot write them has not set them. In a container whose process 1 shares the namespace nothing
 * is read; `unshare --net` around packetdrill helps.
 *
 * A file that is missing or cannot be read is passed over, as is a value that means nothing to us:
 * what a script needs and we lack shows in its packets. Limit: VALUE_MAX bytes a value. */

#include <fcntl.h>
#include <lab/packetdrill/adapter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX 128

static const char *const names[] = {
    "net/core/rmem_max",
    "net/core/wmem_max",
    "net/ipv4/ip_default_ttl",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/tcp_abort_on_overflow",
    "net/ipv4/tcp_adv_win_scale",
    "net/ipv4/tcp_autocorking",
    "net/ipv4/tcp_challenge_ack_limit",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_dsack",
    "net/ipv4/tcp_early_retrans",
    "net/ipv4/tcp_ecn",
    "net/ipv4/tcp_fastopen",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_frto",
    "net/ipv4/tcp_invalid_ratelimit",
    "net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes",
    "net/ipv4/tcp_keepalive_time",
    "net/ipv4/tcp_min_tso_segs",
    "net/ipv4/tcp_moderate_rcvbuf",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_notsent_lowat",
    "net/ipv4/tcp_orphan_retries",
    "net/ipv4/tcp_recovery",
    "net/ipv4/tcp_reordering",
    "net/ipv4/tcp_retries1",
    "net/ipv4/tcp_retries2",
    "net/ipv4/tcp_rfc1337",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_sack",
    "net/ipv4/tcp_slow_start_after_idle",
    "net/ipv4/tcp_syn_retries",
    "net/ipv4/tcp_synack_retries",
    "net/ipv4/tcp_syncookies",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/tcp_window_scaling",
    "net/ipv4/tcp_wmem",
};

static bool read_line(const char *path, char line[VALUE_MAX])
{
    FILE *file = fopen(path, "re");
    bool is_read;

    if (!file)
        return false;
    is_read = fgets(line, VALUE_MAX, file) != NULL;
    fclose(file);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

static bool is_own_namespace(void)
{
    char ours[64] = {0}, first[64] = {0};

    if (readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) <= 0)
        return false;
    if (readlink("/proc/1/ns/net", first, sizeof(first) - 1) <= 0)
        return access("/proc/sys/net/ipv4/tcp_syn_retries", W_OK) == 0;
    return strcmp(ours, first) != 0;
}

void sysctls_apply(struct weir_stack_config *stack, struct linux_config *config)
{
    char path[96], value[VALUE_MAX];
    size_t i;

    if (!is_own_namespace())
        return;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
        if (read_line(path, value))
            (void)linux_sysctl(stack, config, names[i], value);
    }
}
