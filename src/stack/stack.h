/* SPDX-License-Identifier: MIT */
#ifndef STACK_STACK_H
#define STACK_STACK_H

/* One host or router, inside. This folder is the only place that knows all layers: it gives packets
 * that net delivers to the connection, listener or socket they are for, and sends what these have to
 * say. The file of each job:
 *
 *   stack.c     create, destroy, the six calls   input.c     a packet comes up
 *   flow.c      the one flow table               poll.c      what is due goes out
 *   conn.c      life and death of connections    listener.c  half-open records, accept queues
 *   socket.c    the application's calls          options.c   socket options
 *   connect.c   connecting and its undoing       message.c   sendmsg, recvmsg
 *   timewait.c  TIME-WAIT records
 *   dgram.c     raw and echo sockets             udp.c       UDP sockets
 *   control.c   interfaces, routes               rip.c       joins rip to protocol 200
 *   profile.c   the settings of each profile     inspect.c   the read-only view
 *   interest.c  sets of sockets to watch */

#include <base/list.h>
#include <base/random.h>
#include <base/siphash.h>
#include <dgram/dgram.h>
#include <net/net.h>
#include <rip/rip.h>
#include <store/slots.h>
#include <store/table.h>
#include <store/wheel.h>
#include <tcp/halfopen.h>
#include <tcp/timewait.h>
#include <weir/inspect.h>
#include <weir/interest.h>

#define STACK_QUANTUM (64u * 1024u)

/* Ports that are chosen for sockets which ask for none: 32768..60999. */
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u

/* ---- Flows ------------------------------------------------------------------------------------------ */

enum flow_kind {
    FLOW_CONN,
    FLOW_HALF_OPEN,
    FLOW_TIME_WAIT,
    FLOW_ENDED /* a connection that has left the table; only its socket holds it */
};

struct flow_key {
    struct weir_addr local, remote;
    uint16_t lport, rport;
};

/* The head of everything that has a four-tuple; `timer.owner` is its enum flow_kind. */
struct flow {
    struct table_node node;
    struct wheel_timer timer;
    struct flow_key key;
    uint32_t pseudo_sum; /* of a connection: the pseudo-header's, without the length */
};

struct socket;

struct conn {
    struct flow flow;
    struct list_node work; /* on the dirty list or on an interface's blocked list */
    struct net_hop hop;
    struct socket *socket;
    struct tcp_conn tcp;
};

struct half_open {
    struct flow flow;
    struct list_node age; /* the stack's, oldest first */
    struct socket *listener;
    struct tcp_halfopen record;
};

struct time_wait {
    struct flow flow;
    struct list_node queue; /* of all records */
    struct socket *socket;  /* closed by the application; waits for this to end */
    bool is_reusable;       /* its socket was */
    struct tcp_timewait record;
};

/* ---- Sockets ----------------------------------------------------------------------------------------- */

/* Settings of sockets that differ from the stack's; shared by a listener and its children. */
struct own_settings {
    uint32_t references;
    struct weir_tcp_settings tcp;
};

/* What a socket has while it is no connection: a name of its own, and somebody's queue. */
struct binding {
    struct table_node port; /* in stack->ports while bound or listening; UDP: in udp_ports; echo: in
                               echo_ids */
    struct socket *socket;
    struct weir_endpoint local;
    struct weir_addr peer;  /* datagrams: as connected */
    struct list_node queue; /* listener: complete connections */
    uint32_t queued, backlog;
    struct dgram_queue datagrams;
    uint32_t order;     /* UDP: grows from binding to binding */
    uint16_t peer_port; /* UDP: as connected */
    uint16_t echo_id;
    uint8_t protocol;
    bool is_bound;
    bool keeps_addr, keeps_port; /* UDP: bind has said which; else they go with the peer */
    bool hears_errors;           /* UDP: ICMP errors are received as datagrams */
};

struct socket {
    struct list_node queue;     /* the listener's until accepted, then the stack's of events */
    struct list_node interests; /* its memberships in interest sets */
    uint64_t tag;
    struct own_settings *own; /* NULL: the stack's settings */
    struct binding *binding;  /* NULL: a connection needs none */
    struct conn *conn;        /* NULL: none yet, or it has become the next */
    struct time_wait *time_wait;
    struct socket *listener; /* until accepted */
    uint32_t events;         /* not reported yet */
    int32_t number;
    uint32_t lent_out, lent_in; /* by send_begin, by recv_peek */
    int32_t linger;             /* milliseconds; -1: off; 0: abort */
    uint8_t kind;               /* enum weir_socket_kind */
    int8_t error;               /* pending without a connection: UDP's, or as tcp_conn's */
    bool is_listening : 1;
    bool is_closed : 1;
    bool is_connected : 1;
    bool no_notices : 1;
    bool is_corked : 1;
    bool is_connecting : 1; /* connect has not told the outcome yet */
    bool keeps_addr : 1;    /* TCP: bound by the application, not by connect */
    bool keeps_port : 1;
    bool is_reusable : 1;  /* SO_REUSEADDR */
    bool wants_queued : 1; /* TCP_INQ */
};

/* ---- The stack ----------------------------------------------------------------------------------------- */

struct weir_stack {
    struct weir_stack_config config;
    struct weir_counters counters;
    struct alloc alloc;
    struct ring_pool rings;
    struct pool conns, half_opens, time_waits;
    struct pool actives; /* what only busy connections have */
    struct pool all_sockets, bindings;
    struct random random;
    struct siphash_key flow_key, isn_key, port_key;
    struct net *net;
    struct rip *rip; /* NULL: no RIP */
    struct wheel *wheel;
    struct tcp_context tcp_context;
    weir_time now;

    struct table flows;
    struct flow *last_flow; /* of the last segment; a cache of one */
    uint32_t *port_flows;   /* flows of each local port; NULL: there were never many */
    struct list_node half_open_age;
    struct list_node time_wait_queue;
    weir_time time_wait_latest; /* deadline of the last that joined the queue in order */
    uint32_t conn_count, half_open_count, time_wait_count;

    struct list_node dirty;
    struct list_node *blocked; /* one list for each interface, the loopback's first */
    int blocked_count;
    int32_t turn_budget; /* frames left in this poll */

    struct slots sockets; /* of struct socket, by number */
    struct table ports, udp_ports, echo_ids;
    struct list_node events;
    struct list_node interests; /* sets */
    struct socket *raw[256];
    uint16_t next_echo_id;
    uint32_t port_counter;
    uint32_t udp_binds;
};

/* flow.c */
uint64_t flow_hash(const struct weir_stack *stack, const struct flow_key *key);
struct flow *flow_find(struct weir_stack *stack, const struct flow_key *key);
/* The flow of the last segment, if this one belongs to it too; else NULL, and flow_find knows. */
struct flow *flow_recall(const struct weir_stack *stack, const struct net_packet *packet,
                         const struct tcp_header *header);
bool flow_add(struct weir_stack *stack, struct flow *flow, enum flow_kind kind);
void flow_remove(struct weir_stack *stack, struct flow *flow);
/* `next`, a fresh one of this kind, takes the place and the key of `flow`, which is in no table then. */
void flow_replace(struct weir_stack *stack, struct flow *flow, struct flow *next,
                  enum flow_kind kind);
/* Whether a flow has this local port; UNKNOWN: few have any, or memory was short. */
enum flow_port_use { FLOW_PORT_UNKNOWN, FLOW_PORT_FREE, FLOW_PORT_USED };
enum flow_port_use flow_port_use(const struct weir_stack *stack, uint16_t port);
/* Frees the table; the flows are gone. */
void flow_done(struct weir_stack *stack);
weir_seq flow_isn(const struct weir_stack *stack, const struct flow_key *key);
/* RFC 6056: a local port that makes `key` unique; 0: none is left. */
uint16_t flow_choose_port(struct weir_stack *stack, struct flow_key *key);

/* conn.c */
/* A connection in CLOSED, awake, in the place of the half-open record `former`, whose key it has, or a
 * new one (NULL). NULL: no memory, and nothing has changed. */
struct conn *conn_create(struct weir_stack *stack, const struct flow_key *key,
                         struct socket *socket, struct flow *former);
/* Puts it on the dirty list: poll will ask for its plan. */
void conn_mark(struct weir_stack *stack, struct conn *conn);
/* After anything was done to the connection: passes events on, and takes it apart if it has ended and
 * owes nothing more. The connection may be gone afterwards. */
void conn_settle(struct weir_stack *stack, struct conn *conn);
void conn_free(struct weir_stack *stack, struct conn *conn);
/* Gives up what only a busy connection needs, if it is none at the moment. */
void conn_rest(struct weir_stack *stack, struct conn *conn);
/* Takes it from a socket that lives on: TIME-WAIT becomes a record, else a RST leaves where one is due. */
void conn_disconnect(struct weir_stack *stack, struct conn *conn);
/* Sends a segment that no connection remembers. */
void conn_reply(struct weir_stack *stack, const struct flow_key *key, const struct tcp_reply *reply,
                const struct weir_tcp_settings *settings);
/* The same when the path is known. */
void conn_reply_by(struct weir_stack *stack, const struct net_path *path,
                   const struct flow_key *key, const struct tcp_reply *reply,
                   const struct weir_tcp_settings *settings);
void conn_ports(const struct conn *conn, struct tcp_ports *ports);
void conn_net_out(const struct weir_tcp_settings *settings, enum weir_why why, struct net_out *out);

/* timewait.c */
/* A record that is in the flow table, with its deadline, waits from now on; another may give way to it. */
void time_wait_add(struct weir_stack *stack, struct time_wait *record);
/* Its deadline has moved. */
void time_wait_restart(struct weir_stack *stack, struct time_wait *record);
void time_wait_free(struct weir_stack *stack, struct time_wait *record);

/* listener.c */
struct socket *listener_find(const struct weir_stack *stack, const struct weir_addr *local,
                             uint16_t port);
enum weir_drop listener_input(struct weir_stack *stack, struct socket *listener,
                              const struct flow_key *key, const struct tcp_segment *segment,
                              weir_seq iss_floor);
enum weir_drop half_open_input(struct weir_stack *stack, struct half_open *half,
                               struct tcp_segment *segment);
void half_open_expire(struct weir_stack *stack, struct half_open *half);
void half_open_free(struct weir_stack *stack, struct half_open *half);
/* Ends the listener's half-open records and the connections nobody accepted. */
void listener_stop(struct weir_stack *stack, struct socket *listener);

/* input.c */
void input_frame(struct weir_stack *stack, int iface, const struct weir_frame *frame);
enum weir_drop input_connection(struct weir_stack *stack, struct conn *conn,
                                struct tcp_segment *segment);

/* socket.c */
static inline struct socket *socket_at(const struct weir_stack *stack, uint32_t number)
{
    return slots_at(&stack->sockets, number); /* NULL: none, or UINT32_MAX */
}
struct socket *socket_get(const struct weir_stack *stack, int number); /* NULL: closed or none */
struct socket *socket_create(struct weir_stack *stack, enum weir_socket_kind kind, int *error);
void socket_free(struct weir_stack *stack, struct socket *socket);
/* What a socket has while it is no connection. False: no memory. */
bool binding_create(struct weir_stack *stack, struct socket *socket);
void binding_free(struct weir_stack *stack, struct socket *socket);
void socket_raise(struct weir_stack *stack, struct socket *socket, uint32_t events);
/* The state machine has ended, and the application has closed it: the last event. */
void socket_ended(struct weir_stack *stack, struct socket *socket);

/* stream.c */
/* The connection of a stream socket; NULL: *error says why there is none. */
struct conn *stream_get(const struct weir_stack *stack, int number, int *error);
/* The error that ended the connection, or that the socket has without one, told once; then
 * `otherwise`. */
int stream_take_error(struct socket *socket, int otherwise);
/* Reads into `to`; with WEIR_MSG_PEEK `offset` bytes further on. `flags`: as for recvmsg. */
long stream_recv(struct weir_stack *stack, int number, const struct weir_span *to, size_t offset,
                 int flags);
/* Bytes that can be read; those that were queued and are not acknowledged. */
uint32_t stream_unread(const struct socket *socket);
uint32_t stream_unacknowledged(const struct socket *socket);

/* options.c */
const struct weir_tcp_settings *socket_settings(const struct weir_stack *stack,
                                                const struct socket *socket);
void settings_share(struct socket *from, struct socket *to);
void settings_release(struct weir_stack *stack, struct socket *socket);

/* interest.c */
/* Something happened to the socket, or `events` became ready: tells the sets that it is in. */
void interest_note(struct socket *socket, uint32_t events);
/* Takes it out of all of them. */
void interest_leave(struct socket *socket);
/* Destroys all sets of the stack. */
void interest_done(struct weir_stack *stack);

/* dgram.c */
void dgram_deliver(struct weir_stack *stack, const struct net_packet *packet);
void dgram_icmp_error(struct weir_stack *stack, const struct net_packet *packet,
                      const struct net_icmp_error *error);
int dgram_open(struct weir_stack *stack, struct socket *socket, int protocol);
void dgram_close(struct weir_stack *stack, struct socket *socket);
/* What IP knows of a datagram. */
struct weir_datagram dgram_describe(const struct net_packet *packet);
/* Queues a copy for the socket, or counts why not. */
void dgram_give(struct weir_stack *stack, struct socket *socket, const struct weir_datagram *info,
                const struct weir_const_span *data);

/* udp.c */
int udp_bind(struct weir_stack *stack, struct socket *socket, const struct weir_endpoint *local);
int udp_connect(struct weir_stack *stack, struct socket *socket,
                const struct weir_endpoint *remote);
/* Gives up the peer, and of the name what bind has not chosen. */
void udp_disconnect(struct weir_stack *stack, struct socket *socket);
void udp_deliver(struct weir_stack *stack, const struct net_packet *packet);
/* What an ICMP error means, a WEIR_E… as Linux tells the codes apart; 0: nothing. A hard one is told to
 * a connected datagram socket; time may mend the others. */
int icmp_meaning(const struct net_icmp_error *error, bool *is_hard);

void udp_icmp_error(struct weir_stack *stack, const struct net_packet *packet,
                    const struct net_icmp_error *error);
int udp_take_error(struct socket *socket); /* 0, or the pending error, once */
long udp_sendto(struct weir_stack *stack, struct socket *socket, const struct weir_const_span *data,
                const struct weir_datagram *to);

/* control.c */
/* Whoever waits for a link plans anew: there may be another way now. */
void control_paths_changed(struct weir_stack *stack);

/* rip.c */
void rip_deliver(struct weir_stack *stack, const struct net_packet *packet);
void rip_poll(struct weir_stack *stack);

static inline void count_drop(struct weir_stack *stack, enum weir_drop reason)
{
    if (reason != WEIR_DROP_NONE)
        net_count_drop(stack->net, reason);
}

/* The same for what is lost on its way out, and for what is given up: nobody's fate. */
static inline void count_loss(struct weir_stack *stack, enum weir_drop reason)
{
    stack->counters.drop[reason]++;
}

static inline bool memory_pressure(const struct weir_stack *stack)
{
    return alloc_is_tight(&stack->alloc);
}

#endif
