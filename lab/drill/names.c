/* SPDX-License-Identifier: MIT */

/* Constants of scripts. Files written for Linux mean Linux's numbers, so the numbers stand here and
 * are not taken from the headers of the system that builds us. What is in this table can be read;
 * whether it can be executed is for calls.c to say. */

#include <lab/drill/names.h>
#include <stdio.h>
#include <string.h>

#define ERRORS_MAX 150

/* clang-format off */
static const struct {
    const char *name;
    int64_t value;
} constants[] = {
    {"AF_UNSPEC", 0}, {"AF_INET", 2}, {"PF_INET", 2}, {"AF_INET6", 10}, {"PF_INET6", 10},
    {"SOCK_STREAM", 1}, {"SOCK_DGRAM", 2}, {"SOCK_RAW", 3},
    {"SOCK_NONBLOCK", 04000}, {"SOCK_CLOEXEC", 02000000},
    {"IPPROTO_IP", 0}, {"IPPROTO_ICMP", 1}, {"IPPROTO_TCP", 6}, {"IPPROTO_UDP", 17},
    {"IPPROTO_IPV6", 41}, {"SOL_IP", 0}, {"SOL_SOCKET", 1}, {"SOL_TCP", 6}, {"SOL_IPV6", 41},
    {"SO_REUSEADDR", 2}, {"SO_ERROR", 4}, {"SO_SNDBUF", 7}, {"SO_RCVBUF", 8}, {"SO_KEEPALIVE", 9},
    {"SO_LINGER", 13}, {"SO_REUSEPORT", 15}, {"SO_MARK", 36}, {"SO_TIMESTAMPING", 37},
    {"SO_ZEROCOPY", 60}, {"SO_DEBUG", 1}, {"SO_TYPE", 3}, {"SO_BROADCAST", 6}, {"SO_OOBINLINE", 10},
    {"SO_PRIORITY", 12}, {"SO_ACCEPTCONN", 30}, {"SO_SNDBUFFORCE", 32}, {"SO_RCVBUFFORCE", 33},
    {"SO_PROTOCOL", 38}, {"SO_DOMAIN", 39}, {"SO_INCOMING_CPU", 49}, {"SO_MEMINFO", 55},
    {"TCP_NODELAY", 1}, {"TCP_MAXSEG", 2}, {"TCP_CORK", 3}, {"TCP_KEEPIDLE", 4},
    {"TCP_KEEPINTVL", 5}, {"TCP_KEEPCNT", 6}, {"TCP_SYNCNT", 7}, {"TCP_LINGER2", 8},
    {"TCP_DEFER_ACCEPT", 9}, {"TCP_INFO", 11}, {"TCP_QUICKACK", 12}, {"TCP_CONGESTION", 13},
    {"TCP_USER_TIMEOUT", 18}, {"TCP_FASTOPEN", 23}, {"TCP_TIMESTAMP", 24},
    {"TCP_NOTSENT_LOWAT", 25}, {"TCP_FASTOPEN_CONNECT", 30}, {"TCP_FASTOPEN_KEY", 33},
    {"TCP_INQ", 36}, {"TCP_CM_INQ", 36}, {"TCP_CC_INFO", 26}, {"TCP_MD5SIG", 14}, {"TCP_REPAIR", 19},
    {"IP_RECVERR", 11}, {"SOL_UDP", 17}, {"IP_TOS", 1}, {"IP_TTL", 2}, {"IP_MTU_DISCOVER", 10}, {"IP_FREEBIND", 15},
    {"F_GETFL", 3}, {"F_SETFL", 4}, {"O_RDONLY", 0}, {"O_WRONLY", 1}, {"O_RDWR", 2},
    {"O_NONBLOCK", 04000}, {"F_GETFD", 1}, {"F_SETFD", 2}, {"FD_CLOEXEC", 1},
    {"SHUT_RD", 0}, {"SHUT_WR", 1}, {"SHUT_RDWR", 2},
    {"MSG_OOB", 1}, {"MSG_PEEK", 2}, {"MSG_TRUNC", 0x20}, {"MSG_DONTWAIT", 0x40},
    {"MSG_EOR", 0x80}, {"MSG_WAITALL", 0x100}, {"MSG_ERRQUEUE", 0x2000}, {"MSG_NOSIGNAL", 0x4000},
    {"MSG_MORE", 0x8000}, {"MSG_ZEROCOPY", 0x4000000}, {"MSG_FASTOPEN", 0x20000000},
    {"POLLIN", 1}, {"POLLPRI", 2}, {"POLLOUT", 4}, {"POLLERR", 8}, {"POLLHUP", 16},
    {"POLLRDHUP", 0x2000}, {"POLLNVAL", 32}, {"POLLRDNORM", 0x40}, {"POLLRDBAND", 0x80},
    {"POLLWRNORM", 0x100}, {"POLLWRBAND", 0x200}, {"EPOLLRDNORM", 0x40}, {"EPOLLWRNORM", 0x100},
    {"EPOLLONESHOT", 0x40000000}, {"MSG_CTRUNC", 8}, {"EPOLLIN", 1}, {"EPOLLPRI", 2}, {"EPOLLOUT", 4}, {"EPOLLERR", 8},
    {"EPOLLHUP", 16}, {"EPOLLRDHUP", 0x2000}, {"EPOLLET", 0x80000000},
    {"EPOLL_CTL_ADD", 1}, {"EPOLL_CTL_DEL", 2}, {"EPOLL_CTL_MOD", 3},
    {"SIOCINQ", 0x541b}, {"FIONREAD", 0x541b}, {"SIOCOUTQ", 0x5411},
    {"SIOCOUTQNSD", 0x894b}, {"SIOCATMARK", 0x8905}, {"FIONBIO", 0x5421},
    {"SPLICE_F_MOVE", 1}, {"SPLICE_F_NONBLOCK", 2}, {"SPLICE_F_MORE", 4},
    {"INADDR_ANY", 0}, {"INADDR_LOOPBACK", 0x7f000001}, {"SOMAXCONN", 4096}, {"NULL", 0},
    {"TCP_ESTABLISHED", 1}, {"TCP_SYN_SENT", 2}, {"TCP_SYN_RECV", 3}, {"TCP_FIN_WAIT1", 4},
    {"TCP_FIN_WAIT2", 5}, {"TCP_TIME_WAIT", 6}, {"TCP_CLOSE", 7}, {"TCP_CLOSE_WAIT", 8},
    {"TCP_LAST_ACK", 9}, {"TCP_LISTEN", 10}, {"TCP_CLOSING", 11},
    {"TCP_CA_Open", 0}, {"TCP_CA_Disorder", 1}, {"TCP_CA_CWR", 2}, {"TCP_CA_Recovery", 3},
    {"TCP_CA_Loss", 4},
    {"TCPI_OPT_TIMESTAMPS", 1}, {"TCPI_OPT_SACK", 2}, {"TCPI_OPT_WSCALE", 4}, {"TCPI_OPT_ECN", 8},
    {"TCPI_OPT_ECN_SEEN", 16}, {"TCPI_OPT_SYN_DATA", 32},
};
/* clang-format on */

/* EAGAIN and its kin: Linux has fewer than ERRORS_MAX. */
static bool error_value(const char *name, int64_t *value)
{
    int error;

    for (error = 1; error < ERRORS_MAX; error++) {
        const char *known = strerrorname_np(error);

        if (known && !strcmp(known, name)) {
            *value = error;
            return true;
        }
    }
    return false;
}

bool name_value(const char *name, int64_t *value)
{
    size_t i;

    for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (!strcmp(constants[i].name, name)) {
            *value = constants[i].value;
            return true;
        }
    }
    return name[0] == 'E' && error_value(name, value);
}

const char *error_name(int error, char *text)
{
    const char *name = strerrorname_np(error > 0 ? error : -error);

    if (name)
        return name;
    snprintf(text, 32, "errno %d", error > 0 ? error : -error);
    return text;
}
