/* SPDX-License-Identifier: MIT */

/* Getting options, as Linux answers: min(*length, size) bytes, and *length says how many. What the
 * options are, and what setting them does, stands in sockopts.c.
 *
 * What was set reads back as Linux keeps it (buffers doubled, a deferral rounded up). What was not
 * reads as what weir does: a buffer of N as 2N, a time rounded up to its unit. TCP_MAXSEG is the
 * present send MSS once there is a connection, else as it was set, else 536. TCP_CONGESTION is
 * always sixteen bytes, padded with zeros; weir's "newreno" is Linux's "reno".
 *
 * A level that the socket does not have is EOPNOTSUPP here and ENOPROTOOPT when setting, as on Linux.
 *
 * SO_ERROR takes the pending error. SO_PEERCRED and others that describe a process or a device are
 * ENOPROTOOPT. */

#include <lab/linux/options.h>
#include <linux/tcp.h>
#include <string.h>

#define UDP_BUFFER 212992 /* net.core.{r,w}mem_default */

long linux_put_value(const void *from, size_t size, void *value, socklen_t *length)
{
    if (!length)
        return -EFAULT;
    if (*length > INT32_MAX)
        return -EINVAL;
    if (*length < size)
        size = *length;
    if (!value && size > 0)
        return -EFAULT;
    if (size > 0)
        memcpy(value, from, size);
    *length = (socklen_t)size;
    return 0;
}

const char *linux_cc_name(const struct linux_sockets *sockets, const struct linux_file *file)
{
    struct weir_tcp_info info;

    if (weir_tcp_info_get(sockets->stack, file->socket, sockets->now, &info) < 0)
        return "";
    return strcmp(info.congestion_control, "newreno") != 0 ? info.congestion_control : "reno";
}

static int64_t get_weir(const struct linux_sockets *sockets, const struct linux_file *file,
                        enum weir_option option)
{
    int64_t value = 0;

    weir_socket_get(sockets->stack, file->socket, option, &value);
    return value;
}

static int clamp_int(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int)value;
}

static int get_row(const struct linux_sockets *sockets, struct linux_file *file,
                   const struct row *row)
{
    int64_t value;

    if (linux_row_is_remembered(file, row))
        return (int)((uint32_t)*linux_row_place(file, row) + (uint32_t)row->initial);
    value = get_weir(sockets, file, (enum weir_option)row->option);
    if (row->option == WEIR_TCP_USER_TIMEOUT && value == WEIR_NEVER)
        return 0;
    return clamp_int((value + row->unit - 1) / row->unit);
}

static int get_maxseg(const struct linux_sockets *sockets, const struct linux_file *file)
{
    struct linux_stream stream;

    linux_stream_state(sockets, file, &stream);
    if (file->is_listening || stream.state == WEIR_STATE_CLOSED)
        return file->options.maxseg ? file->options.maxseg : 536;
    return clamp_int(get_weir(sockets, file, WEIR_TCP_MAXSEG));
}

/* As it was set; else twice what weir has, and of datagrams, whose queue weir bounds otherwise, Linux's. */
static int get_buffer(const struct linux_sockets *sockets, const struct linux_file *file,
                      uint32_t set, enum weir_option option)
{
    if (set)
        return (int)set;
    if (file->kind == LINUX_UDP)
        return UDP_BUFFER;
    return clamp_int(2 * get_weir(sockets, file, option));
}

/* Of SOL_SOCKET; false: there is no such option. */
static bool get_socket_int(struct linux_sockets *sockets, struct linux_file *file, int name,
                           int *value)
{
    switch (name) {
    case SO_SNDBUF:
        *value = get_buffer(sockets, file, file->options.sndbuf, WEIR_SO_SNDBUF);
        return true;
    case SO_RCVBUF:
        *value = get_buffer(sockets, file, file->options.rcvbuf, WEIR_SO_RCVBUF);
        return true;
    case SO_ERROR:
        *value = (int)-linux_take_error(sockets, file);
        return true;
    case SO_TYPE:
        *value = file->kind == LINUX_TCP ? SOCK_STREAM : SOCK_DGRAM;
        return true;
    case SO_PROTOCOL:
        *value = file->kind == LINUX_TCP ? IPPROTO_TCP : IPPROTO_UDP;
        return true;
    case SO_DOMAIN:
        *value = AF_INET;
        return true;
    case SO_ACCEPTCONN:
        *value = file->is_listening;
        return true;
    case SO_INCOMING_CPU:
        *value = 0;
        return true;
    default:
        return false;
    }
}

static bool get_tcp_int(const struct linux_sockets *sockets, const struct linux_file *file,
                        int name, int *value)
{
    switch (name) {
    case TCP_MAXSEG:
        *value = get_maxseg(sockets, file);
        return true;
    case TCP_LINGER2:
        *value = file->options.linger2
                     ? file->options.linger2
                     : clamp_int(get_weir(sockets, file, WEIR_TCP_LINGER2) / WEIR_SECOND);
        return true;
    case TCP_DEFER_ACCEPT:
        *value = file->options.defer_accept;
        return true;
    case TCP_NOTSENT_LOWAT:
        *value = (int)file->options.notsent_lowat;
        return true;
    case TCP_INQ:
        *value = file->options.inq;
        return true;
    default:
        return false;
    }
}

static bool get_int_option(struct linux_sockets *sockets, struct linux_file *file, int level,
                           int name, int *value)
{
    const struct row *row = linux_find_row(file, level, name);

    if (row) {
        *value = get_row(sockets, file, row);
        return true;
    }
    if (level == SOL_SOCKET)
        return get_socket_int(sockets, file, name, value);
    if (level == IPPROTO_IP && name == IP_TOS) {
        *value = (int)get_weir(sockets, file, WEIR_IP_TOS);
        return true;
    }
    return level == IPPROTO_TCP && file->kind == LINUX_TCP &&
           get_tcp_int(sockets, file, name, value);
}

static long get_linger(const struct linux_file *file, void *value, socklen_t *length)
{
    struct linger linger = {
        .l_onoff = file->options.is_lingering,
        .l_linger = file->options.linger_time,
    };

    return linux_put_value(&linger, sizeof(linger), value, length);
}

static long get_congestion(const struct linux_sockets *sockets, const struct linux_file *file,
                           void *value, socklen_t *length)
{
    char name[CC_NAME_MAX] = "";

    strncpy(name, linux_cc_name(sockets, file), sizeof(name) - 1);
    return linux_put_value(name, sizeof(name), value, length);
}

/* Of SOL_IP Linux gives a number that fits into a byte as a byte, if less than an int is asked for. */
static long put_int(int level, int number, void *value, socklen_t *length)
{
    uint8_t byte = (uint8_t)number;

    if (level == IPPROTO_IP && length && *length > 0 && *length < sizeof(number) && number >= 0 &&
        number <= 255)
        return linux_put_value(&byte, sizeof(byte), value, length);
    return linux_put_value(&number, sizeof(number), value, length);
}

long linux_getsockopt(struct linux_sockets *sockets, int fd, int level, int name, void *value,
                      socklen_t *length)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    bool is_tcp;
    int number;

    if (!file)
        return error;
    is_tcp = level == IPPROTO_TCP && file->kind == LINUX_TCP;
    if (level != SOL_SOCKET && level != IPPROTO_IP && !is_tcp &&
        (level != IPPROTO_UDP || file->kind != LINUX_UDP))
        return -EOPNOTSUPP;
    if (!length)
        return -EFAULT;
    if (*length > INT32_MAX)
        return -EINVAL;
    if (level == SOL_SOCKET && name == SO_LINGER)
        return get_linger(file, value, length);
    if (level == SOL_SOCKET && name == SO_MEMINFO)
        return linux_meminfo(sockets, file, value, length);
    if (is_tcp && name == TCP_INFO)
        return linux_tcp_info(sockets, file, value, length);
    if (is_tcp && name == TCP_CC_INFO)
        return linux_put_value(NULL, 0, value, length);
    if (is_tcp && name == TCP_CONGESTION)
        return get_congestion(sockets, file, value, length);
    if (level == SOL_SOCKET && name == SO_ERROR && !value)
        return -EFAULT;
    if (!get_int_option(sockets, file, level, name, &number))
        return -ENOPROTOOPT;
    return put_int(level, number, value, length);
}
