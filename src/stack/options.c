/* SPDX-License-Identifier: MIT */

/* Socket options. Most are fields of struct weir_tcp_settings: a socket shares the stack's settings
 * until it sets one, then has its own; accepted connections share their listener's. The rest is kept
 * in the socket or the connection. */

#include <stack/stack.h>

#define BUFFER_MIN 2048
#define BUFFER_MAX (64 * 1024 * 1024)
#define MSS_LEAST 88
#define MSS_MOST 65495
#define RETRIES_MAX 127

const struct weir_tcp_settings *socket_settings(const struct weir_stack *stack,
                                                const struct socket *socket)
{
    return socket->own ? &socket->own->tcp : &stack->config.tcp;
}

void settings_share(struct socket *from, struct socket *to)
{
    to->own = from->own;
    if (to->own)
        to->own->references++;
}

void settings_release(struct weir_stack *stack, struct socket *socket)
{
    if (socket->own && --socket->own->references == 0)
        alloc_put(&stack->alloc, socket->own, sizeof(*socket->own));
    socket->own = NULL;
}

/* Settings that belong to this socket alone, or NULL if memory is short. */
static struct weir_tcp_settings *settings_own(struct weir_stack *stack, struct socket *socket)
{
    struct own_settings *own;

    if (socket->own && socket->own->references == 1)
        return &socket->own->tcp;
    own = alloc_get(&stack->alloc, sizeof(*own));
    if (!own)
        return NULL;
    own->references = 1;
    own->tcp = *socket_settings(stack, socket);
    settings_release(stack, socket);
    socket->own = own;
    if (socket->conn)
        socket->conn->tcp.settings = &own->tcp;
    return &own->tcp;
}

static bool is_in_range(enum weir_option option, int64_t value)
{
    switch (option) {
    case WEIR_SO_SNDBUF:
    case WEIR_SO_RCVBUF:
        return value >= BUFFER_MIN && value <= BUFFER_MAX;
    case WEIR_SO_KEEPALIVE:
    case WEIR_TCP_NODELAY:
    case WEIR_TCP_CORK:
    case WEIR_TCP_NOTICES:
    case WEIR_IP_RECVERR:
    case WEIR_TCP_INQ:
    case WEIR_SO_REUSEADDR:
        return value == 0 || value == 1;
    case WEIR_SO_LINGER:
        return value >= -1 && value <= INT32_MAX * WEIR_MS;
    case WEIR_TCP_MAXSEG:
        return value >= MSS_LEAST && value <= MSS_MOST;
    case WEIR_TCP_KEEPIDLE:
    case WEIR_TCP_KEEPINTVL:
        return value > 0 && value <= 32767 * WEIR_SECOND;
    case WEIR_TCP_KEEPCNT:
    case WEIR_TCP_SYNCNT:
        return value >= 1 && value <= RETRIES_MAX;
    case WEIR_TCP_USER_TIMEOUT:
    case WEIR_TCP_LINGER2:
        return value >= 0;
    case WEIR_TCP_DEFER_ACCEPT:
        return value >= 0 && value <= 65535 * WEIR_SECOND;
    case WEIR_TCP_NOTSENT_LOWAT:
        return value >= 1 && value <= UINT32_MAX;
    case WEIR_TCP_DELAYED_ACK:
        return value >= 0 && value < 500 * WEIR_MS; /* [MUST-40] */
    case WEIR_IP_TTL:
        return value >= 1 && value <= 255;
    case WEIR_IP_TOS:
        return value >= 0 && value <= 255;
    default:
        break;
    }
    return false;
}

static bool is_read_only(enum weir_option option)
{
    return option == WEIR_SO_ERROR || option == WEIR_SIOCINQ || option == WEIR_SIOCOUTQ;
}

static bool is_for(enum weir_option option, uint8_t kind)
{
    if (option == WEIR_IP_RECVERR)
        return kind == WEIR_UDP;
    return kind == WEIR_TCP || option == WEIR_IP_TTL || option == WEIR_IP_TOS ||
           option == WEIR_SO_RCVBUF || option == WEIR_SO_REUSEADDR || is_read_only(option);
}

static void set_setting(struct weir_tcp_settings *settings, enum weir_option option, int64_t value)
{
    switch (option) {
    case WEIR_SO_SNDBUF:
        settings->send_buffer = (uint32_t)value;
        break;
    case WEIR_SO_RCVBUF:
        settings->receive_buffer = (uint32_t)value;
        break;
    case WEIR_SO_KEEPALIVE:
        settings->keepalive = value != 0;
        break;
    case WEIR_TCP_NODELAY:
        settings->nagle = value == 0;
        break;
    case WEIR_TCP_MAXSEG:
        settings->mss_max = (uint16_t)value;
        break;
    case WEIR_TCP_KEEPIDLE:
        settings->keepalive_idle = value;
        break;
    case WEIR_TCP_KEEPINTVL:
        settings->keepalive_interval = value;
        break;
    case WEIR_TCP_KEEPCNT:
        settings->keepalive_probes = (uint32_t)value;
        break;
    case WEIR_TCP_USER_TIMEOUT:
        settings->user_timeout = value;
        break;
    case WEIR_TCP_DELAYED_ACK:
        settings->delayed_ack = value;
        break;
    case WEIR_TCP_SYNCNT: /* the number alone decides from now on */
        settings->syn_r2_retries = (uint32_t)value;
        settings->syn_ack_r2_retries = (uint32_t)value;
        settings->syn_r2_time = 0;
        break;
    case WEIR_TCP_LINGER2:
        settings->fin_wait_2_timeout = value;
        break;
    case WEIR_TCP_DEFER_ACCEPT:
        settings->defer_accept = value;
        break;
    case WEIR_TCP_NOTSENT_LOWAT:
        settings->notsent_lowat = (uint32_t)value;
        break;
    case WEIR_IP_TTL:
        settings->ttl = (uint8_t)value;
        break;
    case WEIR_IP_TOS:
        settings->tos = (uint8_t)value;
        break;
    default:
        break;
    }
}

/* What a change means to a connection that is open already. */
static void tell_connection(struct weir_stack *stack, struct conn *conn, enum weir_option option)
{
    struct tcp_conn *tcp = &conn->tcp;
    const struct weir_tcp_settings *settings = tcp->settings;

    switch (option) {
    case WEIR_SO_SNDBUF:
        tcp->send_buffer = settings->send_buffer;
        tcp_send_wake(tcp);
        break;
    case WEIR_TCP_NOTSENT_LOWAT:
        tcp->want_out |= !tcp_send_is_writable(tcp);
        tcp_send_wake(tcp);
        break;
    case WEIR_SO_RCVBUF: /* what was offered stays offered [SHLD-14] */
        tcp->receive_buffer = settings->receive_buffer;
        break;
    case WEIR_SO_KEEPALIVE:
    case WEIR_TCP_KEEPIDLE:
        tcp_stop_timer(tcp, TCP_TIMER_KEEPALIVE);
        if (settings->keepalive && tcp_is_synchronised(tcp))
            tcp_start_timer(tcp, TCP_TIMER_KEEPALIVE, tcp->last_heard + settings->keepalive_idle);
        break;
    case WEIR_TCP_USER_TIMEOUT:
        tcp_stop_timer(tcp, TCP_TIMER_USER);
        tcp_start_user_timer(tcp);
        break;
    case WEIR_TCP_NODELAY: /* once, a cork does not hold what is queued: tcp(7) */
        tcp->sws_override |= !settings->nagle && tcp_send_unsent(tcp) > 0;
        break;
    default:
        break;
    }
    conn_mark(stack, conn);
    conn_settle(stack, conn);
}

/* Options that are no settings. Returns false if `option` is one. */
static bool set_plain(struct weir_stack *stack, struct socket *socket, enum weir_option option,
                      int64_t value)
{
    switch (option) {
    case WEIR_SO_LINGER:
        socket->linger = value < 0 ? -1 : (int32_t)((value + WEIR_MS - 1) / WEIR_MS);
        return true;
    case WEIR_TCP_NOTICES:
        socket->no_notices = value == 0;
        return true;
    case WEIR_IP_RECVERR:
        socket->binding->hears_errors = value != 0;
        return true;
    case WEIR_SO_RCVBUF:
        if (socket->kind != WEIR_TCP)
            socket->binding->datagrams.limit = (uint32_t)value;
        return socket->kind != WEIR_TCP;
    case WEIR_TCP_INQ:
        socket->wants_queued = value != 0;
        return true;
    case WEIR_SO_REUSEADDR:
        socket->is_reusable = value != 0;
        return true;
    case WEIR_TCP_CORK:
        socket->is_corked = value != 0;
        if (socket->conn) {
            socket->conn->tcp.is_corked = value != 0;
            socket->conn->tcp.more_coming = socket->conn->tcp.more_holds = false;
            conn_mark(stack, socket->conn);
        }
        return true;
    default:
        return false;
    }
}

int weir_socket_set(struct weir_stack *stack, int number, enum weir_option option, int64_t value)
{
    struct socket *socket = socket_get(stack, number);
    struct weir_tcp_settings *settings;

    if (!socket)
        return WEIR_EBADF;
    if (option >= WEIR_OPTION_COUNT || !is_for(option, socket->kind))
        return WEIR_ENOPROTOOPT;
    if (is_read_only(option))
        return WEIR_ENOPROTOOPT;
    if (!is_in_range(option, value))
        return WEIR_EINVAL;
    if (option == WEIR_TCP_MAXSEG && (socket->conn || socket->is_listening))
        return WEIR_EISCONN;
    if (set_plain(stack, socket, option, value))
        return 0;
    settings = settings_own(stack, socket);
    if (!settings || (socket->conn && !tcp_wake(&socket->conn->tcp)))
        return WEIR_ENOMEM;
    set_setting(settings, option, value);
    if (socket->conn)
        tell_connection(stack, socket->conn, option);
    return 0;
}

static int64_t get_setting(const struct weir_tcp_settings *settings, enum weir_option option)
{
    switch (option) {
    case WEIR_SO_SNDBUF:
        return settings->send_buffer;
    case WEIR_SO_RCVBUF:
        return settings->receive_buffer;
    case WEIR_SO_KEEPALIVE:
        return settings->keepalive;
    case WEIR_TCP_NODELAY:
        return !settings->nagle;
    case WEIR_TCP_KEEPIDLE:
        return settings->keepalive_idle;
    case WEIR_TCP_KEEPINTVL:
        return settings->keepalive_interval;
    case WEIR_TCP_KEEPCNT:
        return settings->keepalive_probes;
    case WEIR_TCP_USER_TIMEOUT:
        return settings->user_timeout;
    case WEIR_TCP_DELAYED_ACK:
        return settings->delayed_ack;
    case WEIR_TCP_SYNCNT:
        return settings->syn_r2_retries;
    case WEIR_TCP_LINGER2:
        return settings->fin_wait_2_timeout;
    case WEIR_TCP_DEFER_ACCEPT:
        return settings->defer_accept;
    case WEIR_TCP_NOTSENT_LOWAT:
        return settings->notsent_lowat;
    case WEIR_IP_TTL:
        return settings->ttl;
    case WEIR_IP_TOS:
        return settings->tos;
    default:
        return settings->mss_max ? settings->mss_max : MSS_MOST;
    }
}

/* Options that are no settings. Returns false if `option` is one. */
static bool get_plain(const struct socket *socket, enum weir_option option, int64_t *value)
{
    switch (option) {
    case WEIR_SO_LINGER:
        *value = socket->linger < 0 ? -1 : socket->linger * WEIR_MS;
        return true;
    case WEIR_TCP_NOTICES:
        *value = !socket->no_notices;
        return true;
    case WEIR_IP_RECVERR:
        *value = socket->binding->hears_errors;
        return true;
    case WEIR_SO_RCVBUF:
        if (socket->kind != WEIR_TCP)
            *value = socket->binding->datagrams.limit;
        return socket->kind != WEIR_TCP;
    case WEIR_TCP_CORK:
        *value = socket->is_corked;
        return true;
    case WEIR_TCP_INQ:
        *value = socket->wants_queued;
        return true;
    case WEIR_SO_REUSEADDR:
        *value = socket->is_reusable;
        return true;
    case WEIR_TCP_MAXSEG:
        if (socket->conn)
            *value = socket->conn->tcp.cc.mss;
        return socket->conn != NULL;
    default:
        return false;
    }
}

/* What is asked of a socket's queues. */
static int64_t get_state(struct socket *socket, enum weir_option option)
{
    struct weir_const_span first;
    struct weir_datagram info;

    if (option == WEIR_SO_ERROR)
        return -stream_take_error(socket, 0);
    if (socket->kind == WEIR_TCP)
        return option == WEIR_SIOCINQ ? stream_unread(socket) : stream_unacknowledged(socket);
    if (option == WEIR_SIOCINQ && dgram_first(&socket->binding->datagrams, &first, &info))
        return (int64_t)first.length;
    return 0;
}

int weir_socket_get(const struct weir_stack *stack, int number, enum weir_option option,
                    int64_t *value)
{
    struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (option >= WEIR_OPTION_COUNT || !is_for(option, socket->kind))
        return WEIR_ENOPROTOOPT;
    if (socket->is_listening && (option == WEIR_SIOCINQ || option == WEIR_SIOCOUTQ))
        return WEIR_EINVAL;
    if (is_read_only(option))
        *value = get_state(socket, option);
    else if (!get_plain(socket, option, value))
        *value = get_setting(socket_settings(stack, socket), option);
    return 0;
}
