/* SPDX-License-Identifier: MIT */
#ifndef WEIR_INSPECT_H
#define WEIR_INSPECT_H

/* A read-only view into a stack: connections and why they do not send, interfaces, routes, counters,
 * budgets. Nothing here changes anything. */

#include <weir/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 9293 3.3.2. X(NAME, "TEXT"); the text is that of the prompt's `ls`. */
/* clang-format off */
#define WEIR_TCP_STATES(X)               \
    X(CLOSED, "CLOSED")                  \
    X(LISTEN, "LISTEN")                  \
    X(SYN_SENT, "SYN_SENT")              \
    X(SYN_RECEIVED, "SYN_RECEIVED")      \
    X(ESTABLISHED, "ESTABLISHED")        \
    X(FIN_WAIT_1, "FIN_WAIT_1")          \
    X(FIN_WAIT_2, "FIN_WAIT_2")          \
    X(CLOSE_WAIT, "CLOSE_WAIT")          \
    X(CLOSING, "CLOSING")                \
    X(LAST_ACK, "LAST_ACK")              \
    X(TIME_WAIT, "TIME_WAIT")
/* clang-format on */

enum weir_tcp_state {
#define X(name, text) WEIR_STATE_##name,
    WEIR_TCP_STATES(X)
#undef X
        WEIR_STATE_COUNT
};

const char *weir_tcp_state_name(enum weir_tcp_state state);

/* One connection. Sequence numbers are absolute; sizes in bytes, times in nanoseconds. */
struct weir_tcp_info {
    enum weir_tcp_state state;
    uint32_t snd_una, snd_nxt, snd_wnd, iss;
    uint32_t rcv_nxt, rcv_wnd, irs;
    uint32_t mss; /* effective send MSS */
    uint32_t cwnd, ssthresh;
    uint32_t send_queued;         /* bytes in the send buffer, sent or not */
    uint32_t receive_queued;      /* bytes that can be read */
    uint32_t out_of_order;        /* bytes received beyond a gap */
    weir_time srtt, rttvar, rto;  /* srtt 0: no sample yet */
    uint32_t backoffs;            /* retransmissions of the oldest data */
    uint32_t congestion_recovery; /* 0 open, 1 fast recovery, 2 after a timeout */
    uint64_t segments_sent, segments_received;
    uint64_t bytes_sent, bytes_received; /* payload, first transmissions and in-order only */
    uint64_t bytes_acked;
    uint64_t retransmissions, bytes_retransmitted;
    uint64_t timeouts, fast_retransmits, duplicate_acks_received;
    const char *congestion_control;

    /* Segments. They are counted by the present MSS; small writes that left together are one. */
    uint32_t segments_unacked;       /* out and not acknowledged; SYN and FIN are one each */
    uint32_t segments_retransmitted; /* of these: sent again, and not taken for lost since */
    uint32_t segments_lost;          /* of these: taken for lost, sent again or not */
    uint32_t segments_delivered;     /* acknowledged since the beginning, our SYN too */
    uint32_t duplicate_acks;         /* in a row, at present */
    uint32_t reordering;             /* duplicate ACKs that mean a loss */
    uint32_t unsent;                 /* bytes never sent yet */
    uint32_t probes;                 /* of a closed window or by keep-alive, unanswered in a row */
    uint32_t rcv_mss;                /* largest text received, 536 before there was such */
    uint32_t advertised_mss;         /* what our SYN named */

    weir_time min_rtt; /* least sample, to the microsecond; 0: none yet */
    /* Points in time; before the first of their kind, when the connection was established. */
    weir_time last_data_sent, last_data_received, last_ack_received;
    /* Durations up to `now`: with data that is not acknowledged; in these, kept from sending more by
     * the peer's window alone; by the send buffer alone (the writer waits for room, all is sent). */
    weir_time busy_time, window_limited, buffer_limited;

    /* Listeners: connections that nobody has accepted yet, and how many there may be. */
    uint32_t accept_queued, accept_backlog;

    /* tcp_plan's present decision: what would be sent and why, or why nothing is. */
    enum weir_why plan_why;
    uint32_t plan_bytes;
    weir_time plan_deadline; /* when it would be asked again; WEIR_NEVER */
};

/* Returns 0, WEIR_EBADF or WEIR_EPROTOTYPE. Works for a closed socket until WEIR_CLOSED. */
int weir_tcp_info_get(const struct weir_stack *stack, int socket, weir_time now,
                      struct weir_tcp_info *info);

/* One socket as `ls` shows it. */
struct weir_socket_row {
    int socket;
    enum weir_socket_kind kind;
    enum weir_tcp_state state;
    struct weir_endpoint local, remote;
    bool closed;  /* the application has closed it */
    int listener; /* not accepted yet: the listener it waits on; else -1 */
    uint64_t tag;
};

/* The first socket ≥ `from` in numerical order. Returns its number and fills *row, or WEIR_ENOENT. */
int weir_inspect_socket(const struct weir_stack *stack, int from, struct weir_socket_row *row);

struct weir_iface_row {
    const char *name; /* the stack's */
    struct weir_addr addr;
    struct weir_prefix prefix;
    uint32_t mtu;
    bool up;
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
};

/* Returns 0 or WEIR_ENOENT (no interface of that index). */
int weir_inspect_iface(const struct weir_stack *stack, int iface, struct weir_iface_row *row);

/* Interface by name: its index or WEIR_ENOENT. */
int weir_inspect_iface_named(const struct weir_stack *stack, const char *name);

struct weir_neighbour_row {
    int iface;
    struct weir_addr addr;
    uint64_t tag;
};

/* The `index`-th neighbour in the order they were added. Returns 0 or WEIR_ENOENT. */
int weir_inspect_neighbour(const struct weir_stack *stack, size_t index,
                           struct weir_neighbour_row *row);

enum weir_route_kind { WEIR_ROUTE_LOCAL, WEIR_ROUTE_STATIC, WEIR_ROUTE_RIP };

struct weir_route_row {
    enum weir_route_kind kind;
    struct weir_prefix prefix;
    struct weir_addr next_hop; /* any for LOCAL */
    int iface;                 /* LOCAL; else -1 */
    uint32_t cost;             /* RIP cost; 0 else */
};

/* The `index`-th route: local, then RIP, then static, each in the order of prefixes. Returns 0 or
 * WEIR_ENOENT. */
int weir_inspect_route(const struct weir_stack *stack, size_t index, struct weir_route_row *row);

/* X(NAME, "name"): what a stack has counted since its creation. */
/* clang-format off */
#define WEIR_COUNTERS(X)                                  \
    X(PACKETS_IN, "packets-in")                           \
    X(PACKETS_OUT, "packets-out")                         \
    X(BYTES_IN, "bytes-in")                               \
    X(BYTES_OUT, "bytes-out")                             \
    X(DELIVERED, "delivered")                             \
    X(FORWARDED, "forwarded")                             \
    X(FRAGMENTS_IN, "fragments-in")                       \
    X(FRAGMENTS_OUT, "fragments-out")                     \
    X(REASSEMBLED, "reassembled")                         \
    X(ICMP_IN, "icmp-in")                                 \
    X(ICMP_OUT, "icmp-out")                               \
    X(ECHO_REPLIES, "echo-replies")                       \
    X(SEGMENTS_IN, "segments-in")                         \
    X(SEGMENTS_OUT, "segments-out")                       \
    X(RETRANSMISSIONS, "retransmissions")                 \
    X(RSTS_IN, "rsts-in")                                 \
    X(RSTS_OUT, "rsts-out")                               \
    X(CHALLENGE_ACKS, "challenge-acks")                   \
    X(ACTIVE_OPENS, "active-opens")                       \
    X(PASSIVE_OPENS, "passive-opens")                     \
    X(FAILED_OPENS, "failed-opens")                       \
    X(RESETS, "resets")                                   \
    X(TIMED_OUT, "timed-out")                             \
    X(TIME_WAITS, "time-waits")                           \
    X(ALLOCATION_REFUSED, "allocation-refused")           \
    X(WINDOW_HELD, "window-held")                         \
    X(UDP_IN, "udp-in")                                   \
    X(UDP_OUT, "udp-out")                                 \
    X(RIP_REQUESTS_IN, "rip-requests-in")                 \
    X(RIP_RESPONSES_IN, "rip-responses-in")               \
    X(RIP_MESSAGES_OUT, "rip-messages-out")
/* clang-format on */

enum weir_counter {
#define X(name, text) WEIR_COUNT_##name,
    WEIR_COUNTERS(X)
#undef X
        WEIR_COUNTER_COUNT
};

const char *weir_counter_name(enum weir_counter counter);

struct weir_counters {
    uint64_t counter[WEIR_COUNTER_COUNT];
    uint64_t drop[WEIR_DROP_COUNT];
};

/* The stack's live counters. */
const struct weir_counters *weir_inspect_counters(const struct weir_stack *stack);

/* Memory: bytes in use of the budget, and counts of what is alive. */
struct weir_budget_row {
    size_t used, budget;
    uint32_t sockets, connections, half_open, time_wait, datagrams, fragments;
};

void weir_inspect_budget(const struct weir_stack *stack, struct weir_budget_row *row);

/* used ≤ budget, without counting what the rest of the row needs. O(1). */
bool weir_inspect_is_within_budget(const struct weir_stack *stack);

/* Checks what must always hold inside the stack (every connection has a timer, an event or a place
 * on a list; windows, budgets, lists agree). Returns NULL, or what is broken. For tests and the
 * simulator; walks everything. */
const char *weir_inspect_check(const struct weir_stack *stack, weir_time now);

#ifdef __cplusplus
}
#endif
#endif
