/* SPDX-License-Identifier: MIT */

/* Setting options: Linux's names, units, ranges, lengths and errors. Getting: getsockopt.c.
 *
 * Most options are an int, and a table says what it means: the weir option behind it, its unit and
 * range. Rows without a weir option are only remembered, and stand here because they change nothing
 * that leaves this stack: nothing else is taken, so that ENOPROTOOPT is what a program gets for an
 * effect that it would not get. What is more than a row has a function.
 *
 * Buffers. SO_SNDBUF and SO_RCVBUF are cut to net.core.{w,r}mem_max, doubled, and raised to 4608 and
 * 2304; reading gives the doubled number. Linux doubles because half of a buffer goes to bookkeeping;
 * weir counts bytes, so its buffer is the half again: SO_RCVBUF of N offers about N bytes (as with
 * tcp_adv_win_scale 1), SO_SNDBUF of N takes N bytes (stream.c). weir's least is 2048.
 *
 * TCP_MAXSEG set once there is a connection is remembered and has no effect. TCP_LINGER2 negative closes FIN-WAIT-2 at once.
 * TCP_DEFER_ACCEPT is rounded up to when a SYN-ACK is sent again (1, 3, 7, 15, … s), and reads so.
 * TCP_QUICKACK is taken and reads as set. TCP_CONGESTION is fixed when the stack is made: setting it
 * to its name (Linux's "reno" is weir's "newreno") is accepted, any other is ENOENT.
 *
 * Errors: EBADF, ENOTSOCK, ENOPROTOOPT if the socket has no such level, EFAULT, EINVAL (length, range),
 * ENOPROTOOPT if the level has no such name. */

#include <lab/linux/options.h>
#include <linux/tcp.h>
#include <string.h>

#define SNDBUF_MIN 4608u
#define RCVBUF_MIN 2304u
#define WEIR_BUFFER_MIN 2048u
#define WEIR_BUFFER_MAX (64u << 20)
#define DEFER_MAX 120
#define DEFER_TRIES 255 /* SYN-ACKs: a byte on Linux */
#define LINGER2_MAX 120
#define LINGER_SECONDS_MAX 1000000

/* clang-format off */
static const struct row rows[] = {
    {SOL_SOCKET, SO_REUSEADDR, ROW_BOOL, WEIR_SO_REUSEADDR, 1, 0, 1, 0, true},
    {SOL_SOCKET, SO_KEEPALIVE, ROW_BOOL, WEIR_SO_KEEPALIVE, 1, 0, 1, 0, true},
    {SOL_SOCKET, SO_REUSEPORT, ROW_BOOL, NO_OPTION, 1, 0, 1, 0, true},
    {SOL_SOCKET, SO_PRIORITY, ROW_INT, NO_OPTION, 1, INT32_MIN, INT32_MAX, 0, true},
    {SOL_SOCKET, SO_MARK, ROW_INT, NO_OPTION, 1, INT32_MIN, INT32_MAX, 0, true},
    {SOL_SOCKET, SO_OOBINLINE, ROW_BOOL, NO_OPTION, 1, 0, 1, 0, true},
    {SOL_SOCKET, SO_DEBUG, ROW_BOOL, NO_OPTION, 1, 0, 1, 0, true},
    {SOL_SOCKET, SO_BROADCAST, ROW_BOOL, NO_OPTION, 1, 0, 1, 0, true},
    {IPPROTO_IP, IP_TTL, ROW_INT, WEIR_IP_TTL, 1, 1, 255, 0, true},
    {IPPROTO_IP, IP_RECVERR, ROW_BOOL, NO_OPTION, 1, 0, 1, 0, true},
    {IPPROTO_TCP, TCP_NODELAY, ROW_BOOL, WEIR_TCP_NODELAY, 1, 0, 1, 0, false},
    {IPPROTO_TCP, TCP_CORK, ROW_BOOL, WEIR_TCP_CORK, 1, 0, 1, 0, false},
    {IPPROTO_TCP, TCP_KEEPIDLE, ROW_INT, WEIR_TCP_KEEPIDLE, WEIR_SECOND, 1, 32767, 0, false},
    {IPPROTO_TCP, TCP_KEEPINTVL, ROW_INT, WEIR_TCP_KEEPINTVL, WEIR_SECOND, 1, 32767, 0, false},
    {IPPROTO_TCP, TCP_KEEPCNT, ROW_INT, WEIR_TCP_KEEPCNT, 1, 1, 127, 0, false},
    {IPPROTO_TCP, TCP_SYNCNT, ROW_INT, WEIR_TCP_SYNCNT, 1, 1, 127, 0, false},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, ROW_INT, WEIR_TCP_USER_TIMEOUT, WEIR_MS, 0, INT32_MAX, 0, false},
    {IPPROTO_TCP, TCP_QUICKACK, ROW_BOOL, NO_OPTION, 1, 0, 1, 1, false},
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS <= LINUX_INTS_MAX, "every row has a place in struct linux_options");

const struct row *linux_find_row(const struct linux_file *file, int level, int name)
{
    size_t i;

    for (i = 0; i < ROWS; i++)
        if (rows[i].level == level && rows[i].name == name)
            return file->kind == LINUX_TCP || rows[i].is_udp_too ? &rows[i] : NULL;
    return NULL;
}

int32_t *linux_row_place(struct linux_file *file, const struct row *row)
{
    return &file->options.ints[row - rows];
}

bool linux_row_is_remembered(const struct linux_file *file, const struct row *row)
{
    return row->option == NO_OPTION ||
           (file->kind == LINUX_UDP && row->option == WEIR_SO_KEEPALIVE);
}

void linux_inherit_options(const struct linux_file *from, struct linux_file *to)
{
    to->options = from->options;
}

/* An int from the caller. */
static long get_int(const void *value, socklen_t length, int *number)
{
    if (length < sizeof(*number) || length > INT32_MAX)
        return -EINVAL;
    if (!value)
        return -EFAULT;
    memcpy(number, value, sizeof(*number));
    return 0;
}

/* ---- Setting ------------------------------------------------------------------------------------------- */

static long set_weir(struct linux_sockets *sockets, const struct linux_file *file,
                     enum weir_option option, int64_t value)
{
    return weir_socket_set(sockets->stack, file->socket, option, value);
}

static long set_row(struct linux_sockets *sockets, struct linux_file *file, const struct row *row,
                    int number)
{
    if (row->kind == ROW_BOOL)
        number = number != 0;
    if (number < row->least || number > row->most)
        return -EINVAL;
    *linux_row_place(file, row) = (int32_t)((uint32_t)number - (uint32_t)row->initial);
    if (linux_row_is_remembered(file, row))
        return 0;
    return set_weir(sockets, file, (enum weir_option)row->option, number * row->unit);
}

static uint32_t doubled(int number, uint32_t most, uint32_t least)
{
    uint32_t size = (uint32_t)number;

    size = size < most ? size : most;
    size = size < INT32_MAX / 2 ? size * 2 : INT32_MAX;
    return size > least ? size : least;
}

static long set_buffer(struct linux_sockets *sockets, struct linux_file *file, int name, int number)
{
    bool is_sending = name == SO_SNDBUF || name == SO_SNDBUFFORCE;
    bool is_forced = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;
    uint32_t most = is_sending ? sockets->config.wmem_max : sockets->config.rmem_max;
    uint32_t size =
        doubled(number, is_forced ? INT32_MAX : most, is_sending ? SNDBUF_MIN : RCVBUF_MIN);
    uint32_t ours = size / 2 > WEIR_BUFFER_MIN ? size / 2 : WEIR_BUFFER_MIN;

    if (is_sending)
        file->options.sndbuf = size;
    else
        file->options.rcvbuf = size;
    if (ours > WEIR_BUFFER_MAX)
        ours = WEIR_BUFFER_MAX;
    if (file->kind == LINUX_UDP)
        return 0; /* the bound of the queue is the stack's */
    return set_weir(sockets, file, is_sending ? WEIR_SO_SNDBUF : WEIR_SO_RCVBUF, ours);
}

static long set_linger(struct linux_sockets *sockets, struct linux_file *file, const void *value,
                       socklen_t length)
{
    struct linger linger;
    int64_t time;

    if (length < sizeof(int)) /* Linux reads an int before it knows the option */
        return -EINVAL;
    if (!value)
        return -EFAULT;
    if (length < sizeof(linger))
        return -EINVAL;
    memcpy(&linger, value, sizeof(linger));
    file->options.is_lingering = linger.l_onoff != 0;
    if (linger.l_onoff)
        file->options.linger_time = linger.l_linger < 0 ? INT32_MAX : linger.l_linger;
    if (file->kind != LINUX_TCP)
        return 0;
    time = file->options.linger_time < LINGER_SECONDS_MAX ? file->options.linger_time
                                                          : LINGER_SECONDS_MAX;
    return set_weir(sockets, file, WEIR_SO_LINGER, linger.l_onoff ? time * WEIR_SECOND : -1);
}

static long set_maxseg(struct linux_sockets *sockets, struct linux_file *file, int number)
{
    long error;

    if (number != 0 && (number < 88 || number > 32767))
        return -EINVAL;
    error = set_weir(sockets, file, WEIR_TCP_MAXSEG, number ? number : 65495);
    if (error < 0 && error != WEIR_EISCONN)
        return error;
    file->options.maxseg = number;
    return 0;
}

/* Seconds until the retransmission of a SYN-ACK that comes at `number` or after it. */
static int32_t round_deferral(int number)
{
    int32_t total = 0, timeout = 1, tries = 0;

    while (total < number && tries++ < DEFER_TRIES) {
        total += timeout;
        timeout = timeout * 2 < DEFER_MAX ? timeout * 2 : DEFER_MAX;
    }
    return total;
}

static long set_linger2(struct linux_sockets *sockets, struct linux_file *file, int number)
{
    file->options.linger2 = number < 0 ? -1 : number > LINGER2_MAX ? LINGER2_MAX : number;
    if (number == 0)
        return 0;
    return set_weir(sockets, file, WEIR_TCP_LINGER2,
                    number < 0 ? 0 : file->options.linger2 * WEIR_SECOND);
}

/* Linux looks at once whether there is room now. */
static long set_notsent_lowat(struct linux_sockets *sockets, struct linux_file *file, int number)
{
    struct linux_stream stream;

    file->options.notsent_lowat = (uint32_t)number;
    linux_stream_state(sockets, file, &stream);
    if (stream.state == WEIR_STATE_CLOSED || linux_has_room(file, &stream))
        linux_wake(file, POLLOUT | POLLWRNORM);
    return set_weir(sockets, file, WEIR_TCP_NOTSENT_LOWAT,
                    number ? (int64_t)(uint32_t)number : (int64_t)UINT32_MAX);
}

static long set_tcp_int(struct linux_sockets *sockets, struct linux_file *file, int name,
                        int number)
{
    switch (name) {
    case TCP_MAXSEG:
        return set_maxseg(sockets, file, number);
    case TCP_LINGER2:
        return set_linger2(sockets, file, number);
    case TCP_DEFER_ACCEPT:
        file->options.defer_accept = round_deferral(number);
        return set_weir(sockets, file, WEIR_TCP_DEFER_ACCEPT,
                        file->options.defer_accept * WEIR_SECOND);
    case TCP_NOTSENT_LOWAT:
        return set_notsent_lowat(sockets, file, number);
    case TCP_INQ:
        if (number != 0 && number != 1)
            return -EINVAL;
        file->options.inq = number != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static long set_congestion(struct linux_sockets *sockets, struct linux_file *file,
                           const void *value, socklen_t length)
{
    char name[CC_NAME_MAX] = "";

    if (length < 1)
        return -EINVAL;
    if (!value)
        return -EFAULT;
    memcpy(name, value, length < sizeof(name) - 1 ? length : sizeof(name) - 1);
    return strcmp(name, linux_cc_name(sockets, file)) != 0 ? -ENOENT : 0;
}

/* A number of SOL_IP: an int, or one byte, or nothing, which is 0. */
static long get_ip_int(const void *value, socklen_t length, int *number)
{
    *number = 0;
    if (!value && length > 0)
        return -EFAULT;
    if (length >= sizeof(*number))
        memcpy(number, value, sizeof(*number));
    else if (length > 0)
        *number = *(const uint8_t *)value;
    return 0;
}

/* Of the number only the low byte counts. RFC 3168: a program has no say over the two ECN bits of TCP. */
static long set_tos(struct linux_sockets *sockets, struct linux_file *file, int number)
{
    uint8_t tos = (uint8_t)number;
    int64_t old = 0;

    if (file->kind == LINUX_TCP) {
        weir_socket_get(sockets->stack, file->socket, WEIR_IP_TOS, &old);
        tos = (uint8_t)((tos & ~3) | (old & 3));
    }
    return set_weir(sockets, file, WEIR_IP_TOS, tos);
}

static bool is_buffer(int name)
{
    return name == SO_SNDBUF || name == SO_RCVBUF || name == SO_SNDBUFFORCE ||
           name == SO_RCVBUFFORCE;
}

static long set_by_ip_number(struct linux_sockets *sockets, struct linux_file *file, int name,
                             const void *value, socklen_t length)
{
    const struct row *row = linux_find_row(file, IPPROTO_IP, name);
    int number;
    long error = get_ip_int(value, length, &number);

    if (error < 0)
        return error;
    if (name == IP_TOS)
        return set_tos(sockets, file, number);
    if (!row)
        return -ENOPROTOOPT;
    if (name == IP_TTL && length < 1)
        return -EINVAL;
    return set_row(sockets, file, row, name == IP_TTL && number == -1 ? 64 : number);
}

static long set_by_number(struct linux_sockets *sockets, struct linux_file *file, int level,
                          int name, int number)
{
    const struct row *row = linux_find_row(file, level, name);

    if (row)
        return set_row(sockets, file, row, number);
    if (level == SOL_SOCKET && is_buffer(name))
        return set_buffer(sockets, file, name, number);
    if (level == IPPROTO_TCP && file->kind == LINUX_TCP)
        return set_tcp_int(sockets, file, name, number);
    return -ENOPROTOOPT;
}

long linux_setsockopt(struct linux_sockets *sockets, int fd, int level, int name, const void *value,
                      socklen_t length)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    int number = 0;

    if (!file)
        return error;
    if (level != SOL_SOCKET && level != IPPROTO_IP &&
        (level != IPPROTO_TCP || file->kind != LINUX_TCP))
        return -ENOPROTOOPT;
    if (level == SOL_SOCKET && name == SO_LINGER)
        return set_linger(sockets, file, value, length);
    if (level == IPPROTO_IP)
        return set_by_ip_number(sockets, file, name, value, length);
    if (level == IPPROTO_TCP && name == TCP_CONGESTION && file->kind == LINUX_TCP)
        return set_congestion(sockets, file, value, length);
    error = get_int(value, length, &number);
    return error < 0 ? error : set_by_number(sockets, file, level, name, number);
}
