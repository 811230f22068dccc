/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SOCKET_H
#define WEIR_SOCKET_H

/* The application's side of a stack: sockets that never block. A call that would have to wait
 * returns WEIR_EAGAIN; weir_stack_next_event says when to try again. Blocking calls are in host.h.
 *
 * A socket is a small number, lowest free first. After weir_socket_close the application may no
 * longer use it (WEIR_EBADF), but the number lives on until the connection's state machine has
 * ended and WEIR_CLOSED was reported; only then is it given out again. */

#include <weir/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_socket_kind {
    WEIR_TCP,  /* protocol 0 */
    WEIR_RAW,  /* IP protocol 0..255 but TCP and ICMP: whole payloads of that protocol (of UDP:
                  copies of what UDP sockets get) */
    WEIR_ECHO, /* ICMP echo: send requests, receive the replies and the errors about them */
    WEIR_UDP,  /* protocol 0; RFC 768 */
};

/* Returns a socket ≥ 0, WEIR_EINVAL, WEIR_EMFILE, WEIR_ENOMEM, or WEIR_EADDRINUSE for a raw
 * protocol that another socket has. */
int weir_socket_open(struct weir_stack *stack, enum weir_socket_kind kind, int protocol);

/* 64 bits that come back with each event of the socket; 0 at first. */
int weir_socket_set_tag(struct weir_stack *stack, int socket, uint64_t tag);

/* Local address (any, or one of ours) and port (0: TCP's is chosen at connect or listen, where Linux
 * chooses it here; UDP's now). WEIR_EADDRINUSE: another socket is bound to the port, or a TCP connection
 * lives or is remembered (TIME-WAIT) on it; with WEIR_SO_REUSEADDR on both sides only a listener is in
 * the way. WEIR_EADDRNOTAVAIL, WEIR_EINVAL (already bound). RFC 9293 3.9.1.1 [MUST-42, MUST-43],
 * RFC 1122 4.1.3.5 [768-5]. */
int weir_socket_bind(struct weir_stack *stack, int socket, const struct weir_endpoint *local);

/* Passive OPEN. `backlog` bounds connections that are complete and not accepted (1..65535; clamped;
 * Linux takes one more than it is told).
 * On a listener: changes the backlog. WEIR_EADDRINUSE if another listens there, WEIR_EINVAL if a
 * connection was opened. */
int weir_socket_listen(struct weir_stack *stack, int socket, int backlog);

/* The next complete connection as a new socket ≥ 0; *remote (may be NULL) is its peer. WEIR_EAGAIN:
 * none yet. WEIR_EINVAL: not listening. */
int weir_socket_accept(struct weir_stack *stack, int socket, struct weir_endpoint *remote);

/* TCP: active OPEN; returns WEIR_EINPROGRESS, and WEIR_OUT or WEIR_ERR reports the outcome. Called again
 * it answers WEIR_EALREADY until that is known, then once 0 or why it failed (WEIR_ECONNABORTED if
 * another call has told that already), then WEIR_EISCONN; after a failure it opens anew. RAW,
 * ECHO, UDP: fixes the peer, as often as you like, and returns 0; a UDP socket hears its peer alone
 * then, and takes the path's source for its address if it was bound to any. WEIR_ENETUNREACH, WEIR_EADDRNOTAVAIL (no port left, or a peer
 * nobody may connect to: broadcast, multicast), WEIR_EISCONN, WEIR_EALREADY. The ISN is made from
 * `now`. */
int weir_socket_connect(struct weir_stack *stack, int socket, const struct weir_endpoint *remote,
                        weir_time now);

/* Dissolves what connect and listen have made, as connect with AF_UNSPEC does on Linux: the socket is
 * fresh again, bound to what it was bound to by weir_socket_bind. A connection that has not ended is
 * reset: WEIR_ECONNRESET is pending then, until the next connect. TIME-WAIT lasts without the socket.
 * Returns 0, WEIR_EBADF, WEIR_ENOMEM. */
int weir_socket_disconnect(struct weir_stack *stack, int socket);

enum weir_message_flags {
    WEIR_MSG_MORE = 1,  /* send: more follows: hold back a small segment until it comes */
    WEIR_MSG_OOB = 2,   /* send: urgent: the last byte is the last urgent byte (RFC 9293 3.8.5) */
    WEIR_MSG_PEEK = 4,  /* receive: what is read stays in the queue */
    WEIR_MSG_TRUNC = 8, /* receive: a stream's bytes are thrown away uncopied, a datagram's full
                               length is returned; in weir_message.flags: it was cut */
    WEIR_MSG_DONTWAIT = 16, /* the calls of host.h: this one does not block */
    WEIR_MSG_WAITALL = 32,  /* receive, the calls of host.h: wait for all that was asked for */
    WEIR_MSG_EOR = 64,      /* send: later bytes are not put into the segment that ends here, which
                               carries PSH */
};

/* Copies up to `length` bytes into the send buffer. Returns the count taken (less than `length` if
 * the buffer is full), WEIR_EAGAIN if none, WEIR_EPIPE before connect and after shutdown or close, or
 * the error that ended the connection, once, and WEIR_EPIPE from then on. */
long weir_socket_send(struct weir_stack *stack, int socket, const void *data, size_t length,
                      int flags);

/* Takes up to `length` bytes of the stream. Returns the count, 0 at end of stream (and for length
 * 0), WEIR_EAGAIN, WEIR_ENOTCONN, or the error that ended the connection, once, and 0 from then
 * on. */
long weir_socket_recv(struct weir_stack *stack, int socket, void *data, size_t length);

/* The same without a copy by the stack. send_begin lends one free span of the send buffer (at most
 * `want` bytes; may be shorter than the room); send_commit queues the first `length` bytes of it.
 * recv_peek lends one span of what can be read; recv_consume takes `length` bytes off the front.
 * The span is valid until the next call on this stack. Results as for send and recv; begin and peek
 * return the span's length. recv_consume and send_commit take no more than was lent. */
long weir_send_begin(struct weir_stack *stack, int socket, size_t want, struct weir_span *span);
int weir_send_commit(struct weir_stack *stack, int socket, size_t length, int flags);
long weir_recv_peek(struct weir_stack *stack, int socket, struct weir_const_span *span);
int weir_recv_consume(struct weir_stack *stack, int socket, size_t length);

/* A message in several parts, for sendmsg and recvmsg. */
struct weir_message {
    const struct weir_span *parts; /* borrowed; not written to when sending */
    unsigned count;
    struct weir_datagram *datagram; /* datagram sockets: whom to, or whence; may be NULL */
    int flags;                      /* set by receiving: WEIR_MSG_TRUNC, or 0 */
    int64_t queued;                 /* set by receiving with WEIR_TCP_INQ on: bytes left, 1 if only
                                       the end of the stream is; else -1 */
};

/* As weir_socket_send and sendto, from the parts in their order; one datagram. Returns as they do. */
long weir_socket_sendmsg(struct weir_stack *stack, int socket, const struct weir_message *message,
                         int flags);

/* As weir_socket_recv and recvfrom, into the parts in their order. Returns as they do; for a
 * datagram the bytes copied, or with WEIR_MSG_TRUNC its full length. */
long weir_socket_recvmsg(struct weir_stack *stack, int socket, struct weir_message *message,
                         int flags);

enum weir_shutdown_how { WEIR_SHUT_RD, WEIR_SHUT_WR, WEIR_SHUT_RDWR };

/* WR: our FIN follows the queued data (RFC 9293 3.6 half-close). RD: nothing more will be read, not even
 * what has arrived (Linux leaves that); no packet is sent. In SYN-SENT, and RD of a listener: as
 * weir_socket_disconnect. WEIR_ENOTCONN: never connected, or no longer. */
int weir_socket_shutdown(struct weir_stack *stack, int socket, enum weir_shutdown_how how);

/* RFC 9293 CLOSE: queued data is still delivered, then FIN. With unread data a RST instead
 * [SHLD-3]; with WEIR_SO_LINGER 0 an ABORT. A listener stops, and its connections that nobody has
 * accepted are reset. Returns 0 or WEIR_EBADF. */
int weir_socket_close(struct weir_stack *stack, int socket);

/* RFC 9293 ABORT: RST where the state calls for one; the connection is gone. */
int weir_socket_abort(struct weir_stack *stack, int socket);

/* What is ready now, as a set of enum weir_event_bits (level, not edge); WEIR_EBADF. */
int weir_socket_ready(const struct weir_stack *stack, int socket);

/* Takes the pending error: 0 or the WEIR_E… that ended the connection; UDP: that an ICMP error left
 * behind (see WEIR_IP_RECVERR). */
int weir_socket_take_error(struct weir_stack *stack, int socket);

/* Takes the pending soft error: 0, or a WEIR_E… from ICMP, or WEIR_ETIMEDOUT past R1 while the
 * connection lives on. RFC 9293 3.9.1.8 [MUST-47]. */
int weir_socket_take_notice(struct weir_stack *stack, int socket);

int weir_socket_local(const struct weir_stack *stack, int socket, struct weir_endpoint *local);
int weir_socket_remote(const struct weir_stack *stack, int socket, struct weir_endpoint *remote);

/* ---- Options ---------------------------------------------------------------------------------- */

/* X(NAME, "what, unit, range"). Times are nanoseconds. Set before connect or listen, accepted
 * connections inherit; most may be changed at any time. What is "get only" is WEIR_ENOPROTOOPT to set.
 * TCP_NOTSENT_LOWAT rules WEIR_OUT; what a write takes is ruled by SO_SNDBUF alone. SIOCOUTQ does not
 * count a FIN. */
/* clang-format off */
#define WEIR_OPTIONS(X)                                                                            \
    X(SO_SNDBUF, "send buffer, bytes, 2048..64 MiB")                                               \
    X(SO_RCVBUF, "receive buffer, bytes, 2048..64 MiB; never shrinks what was offered")            \
    X(SO_KEEPALIVE, "0 or 1")                                                                      \
    X(SO_LINGER, "-1: close in the background; 0: close aborts; > 0: how long a blocking close waits") \
    X(TCP_NODELAY, "1: Nagle off")                                                                 \
    X(TCP_CORK, "1: only full segments until it is taken off")                                     \
    X(TCP_MAXSEG, "upper bound of the MSS, 88..65495; before connect or listen")                   \
    X(TCP_KEEPIDLE, "time")                                                                        \
    X(TCP_KEEPINTVL, "time")                                                                       \
    X(TCP_KEEPCNT, "probes, 1..127")                                                               \
    X(TCP_USER_TIMEOUT, "time; 0: by R2; WEIR_NEVER: never")                                       \
    X(TCP_DELAYED_ACK, "time, below 500 ms; 0: at once")                                           \
    X(TCP_NOTICES, "1: soft errors are reported (default); 0: not")                                \
    X(TCP_SYNCNT, "retransmissions of our SYN or SYN-ACK, 1..127")                                 \
    X(TCP_LINGER2, "time in FIN-WAIT-2 once closed; 0: a RST at once; WEIR_NEVER: no limit")       \
    X(TCP_DEFER_ACCEPT, "listener: time that a connection without data waits to be accepted; 0: off") \
    X(TCP_NOTSENT_LOWAT, "writable below half of this many unsent bytes; UINT32_MAX: off")         \
    X(TCP_INQ, "1: recvmsg says how many bytes are left")                                          \
    X(SO_REUSEADDR, "1: bind although connections of an earlier listener live on")                 \
    X(SO_ERROR, "get only: the pending error, a positive number, or 0; taken by it")               \
    X(SIOCINQ, "get only: bytes (datagram: of the first) that can be read")                        \
    X(SIOCOUTQ, "get only: bytes that were queued and are not acknowledged yet")                   \
    X(IP_RECVERR, "UDP, 1: ICMP errors are received as datagrams; 0: hard ones are pending errors") \
    X(IP_TTL, "1..255")                                                                            \
    X(IP_TOS, "0..255; the two ECN bits are ignored for TCP")
/* clang-format on */

enum weir_option {
#define X(name, meaning) WEIR_##name,
    WEIR_OPTIONS(X)
#undef X
        WEIR_OPTION_COUNT
};

/* Returns 0, WEIR_EINVAL (range), WEIR_ENOPROTOOPT (not for this kind), WEIR_EISCONN (too late). */
int weir_socket_set(struct weir_stack *stack, int socket, enum weir_option option, int64_t value);
int weir_socket_get(const struct weir_stack *stack, int socket, enum weir_option option,
                    int64_t *value);

/* ---- Urgent data (RFC 9293 3.8.5) -------------------------------------------------------------- */

/* Bytes that may still be read before the urgent mark: > 0 while urgent data is pending, 0 at or
 * past the mark or without one. RFC 9293 3.8.5 [MUST-33]. */
long weir_socket_urgent_left(const struct weir_stack *stack, int socket);

/* ---- Datagrams: raw, echo and UDP sockets ------------------------------------------------------ */

/* What is known of a datagram. When received: peer, our address, TTL and TOS as they arrived; with
 * icmp_type != 0 the datagram is an ICMP error about one that was sent: `peer` is who reported it,
 * `about` whom it was sent to, and the data is what the error quotes of our payload.
 *
 * Raw and echo sockets receive all ICMP errors about what they sent. A UDP socket does with
 * WEIR_IP_RECVERR only; without it a connected one has a pending error after a hard ICMP error
 * (unreachable with code 2, 3, 4, 6..10, 13..15, or parameter problem), which the next call reports
 * once, and all other errors are dropped, as on Linux. RFC 1122 4.1.3.3 [768-4]. */
struct weir_datagram {
    struct weir_addr peer;
    struct weir_addr local;
    struct weir_addr about;
    uint8_t ttl;
    uint8_t tos;
    uint8_t icmp_type; /* 0: ordinary */
    uint8_t icmp_code;
    uint16_t echo_id; /* echo sockets */
    uint16_t echo_sequence;
    uint16_t peer_port, local_port, about_port; /* UDP */
};

/* Sends one datagram at once (staged; poll flushes it). `to->peer` (or the connected peer if `to` is
 * NULL, on UDP sockets also if it is the any-address), to->local (any: the socket's, or chosen by the
 * route), ttl and tos (0: the socket's) and, on echo sockets, echo_sequence, on UDP sockets
 * peer_port are used. A UDP socket without a port gets one. Returns `length`, the pending error of a
 * UDP socket, WEIR_ENOTCONN (no peer), WEIR_EINVAL (port 0), WEIR_EMSGSIZE, WEIR_ENETUNREACH, WEIR_EHOSTUNREACH,
 * WEIR_ENETDOWN, WEIR_ENOBUFS (link full), WEIR_ENOMEM. */
long weir_socket_sendto(struct weir_stack *stack, int socket, const void *data, size_t length,
                        const struct weir_datagram *to);

/* Takes the oldest datagram; excess bytes are cut off. Returns its full length, WEIR_EAGAIN, or the
 * pending error of a UDP socket. */
long weir_socket_recvfrom(struct weir_stack *stack, int socket, void *data, size_t length,
                          struct weir_datagram *from);

#ifdef __cplusplus
}
#endif
#endif
