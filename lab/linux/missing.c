/* SPDX-License-Identifier: MIT */
#include <lab/linux/internal.h>
#include <string.h>
int weir_socket_disconnect(struct weir_stack *stack, int socket);
__attribute__((weak)) int weir_socket_disconnect(struct weir_stack *stack, int socket)
{
    (void)stack, (void)socket;
    return WEIR_EOPNOTSUPP;
}
__attribute__((weak)) long weir_socket_sendmsg(struct weir_stack *stack, int socket,
                                               const struct weir_message *m, int flags)
{
    uint8_t all[65536];
    size_t n = 0, t = 0;
    long r;
    if (m->datagram) {
        for (unsigned i = 0; i < m->count; i++) {
            memcpy(all + n, m->parts[i].data, m->parts[i].length);
            n += m->parts[i].length;
        }
        return weir_socket_sendto(stack, socket, all, n, m->datagram);
    }
    for (unsigned i = 0; i < m->count; i++) {
        r = weir_socket_send(stack, socket, m->parts[i].data, m->parts[i].length,
                             i + 1 < m->count ? flags | WEIR_MSG_MORE : flags);
        if (r < 0)
            return t ? (long)t : r;
        t += (size_t)r;
        if ((size_t)r < m->parts[i].length)
            break;
    }
    return (long)t;
}
__attribute__((weak)) long weir_socket_recvmsg(struct weir_stack *stack, int socket,
                                               struct weir_message *m, int flags)
{
    size_t t = 0;
    long r;
    (void)flags;
    m->flags = 0;
    if (m->datagram) {
        uint8_t all[65536];
        size_t n = 0;
        r = weir_socket_recvfrom(stack, socket, all, sizeof(all), m->datagram);
        if (r < 0)
            return r;
        for (unsigned i = 0; i < m->count && n < (size_t)r; i++) {
            size_t p = m->parts[i].length < (size_t)r - n ? m->parts[i].length : (size_t)r - n;
            memcpy(m->parts[i].data, all + n, p);
            n += p;
        }
        if (n < (size_t)r)
            m->flags = WEIR_MSG_TRUNC;
        return flags & WEIR_MSG_TRUNC ? r : (long)n;
    }
    for (unsigned i = 0; i < m->count; i++) {
        r = weir_socket_recv(stack, socket, m->parts[i].data, m->parts[i].length);
        if (r < 0)
            return t ? (long)t : r;
        t += (size_t)r;
        if ((size_t)r < m->parts[i].length)
            break;
    }
    return (long)t;
}
