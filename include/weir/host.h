/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HOST_H
#define WEIR_HOST_H

/* Runs one stack in real time, and gives threads BSD-style sockets on it that block.
 *
 * There is no background thread: a thread that has to wait becomes the loop if nobody is it, and
 * hands the role on when its own wait is over. A program that never waits in a weir call must call
 * weir_host_wait for its connections to go on. All calls may be made from any thread. */

#include <poll.h>
#include <weir/inspect.h>
#include <weir/interest.h>
#include <weir/journal.h>
#include <weir/links.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_host;

/* Fills config->seed from the system's entropy. Returns 0 or WEIR_EIO. */
int weir_host_seed(struct weir_stack_config *config);

/* Nanoseconds of CLOCK_MONOTONIC: the time that a host gives its stack. */
weir_time weir_host_now(void);

/* A stack with this configuration and a loop for it. NULL if memory or descriptors are short. */
struct weir_host *weir_host_create(const struct weir_stack_config *config);

/* Ends all waits with WEIR_ECANCELED, waits for the waiters to leave, destroys the stack (nothing is
 * sent) and the links. NULL is allowed. */
void weir_host_destroy(struct weir_host *host);

/* As weir_stack_add_iface, for a link that the host reads, flushes and, from now on, owns (after an
 * error it is still the caller's). A link without a descriptor is never read. */
int weir_host_add_iface(struct weir_host *host, const char *name, struct weir_link *link,
                        const struct weir_addr *addr, const struct weir_prefix *prefix,
                        bool only_neighbours);

/* The link of an interface (an index of the stack's), for calls of links.h such as weir_impair_set:
 * between lock and unlock only. NULL: no such interface. */
struct weir_link *weir_host_link(struct weir_host *host, int iface);

/* The stack, for calls of stack.h, socket.h and inspect.h: between lock and unlock only. Unlock
 * sends what became due and wakes whoever can go on. Events belong to the host: take them with
 * weir_host_next_event, not with weir_stack_next_event. */
struct weir_stack *weir_host_lock(struct weir_host *host);
void weir_host_unlock(struct weir_host *host);

/* Lets time pass: runs the loop (or waits for who runs it) until an event of a watched socket is
 * pending, one of `fds` is ready (revents is set as by poll(2)), or `timeout` nanoseconds are over
 * (WEIR_NEVER: no limit; 0: only look). Returns 1 (event or descriptor), 0 (time is over), or
 * WEIR_ECANCELED, WEIR_EINTR (a signal came). At most 64 fds. */
int weir_host_wait(struct weir_host *host, struct pollfd *fds, unsigned count, weir_time timeout);

/* Events of this socket come with `tag` out of weir_host_next_event. For programs that are written
 * around events; blocking calls on the same socket go on working. Returns 0, WEIR_EBADF,
 * WEIR_ENOMEM. */
int weir_host_watch(struct weir_host *host, int socket, uint64_t tag);

/* When the first packet that a link holds back (weir_impair_create) falls due; WEIR_NEVER: none is
 * held. A program that ends while packets are held takes them with it. */
weir_time weir_host_links_deadline(struct weir_host *host);

/* Takes the oldest event of a watched socket; false if there is none. */
bool weir_host_next_event(struct weir_host *host, struct weir_event *event);

/* ---- The journal of its packets (weir/journal.h) -------------------------------------------------- */

/* From now on the stack notes its packets, as source 0, in `size` bytes at `bytes` (aligned to 8),
 * until weir_host_journal_stop. The memory is lent until take says WEIR_ECANCELED. Returns 0, or
 * WEIR_EALREADY: it has a journal, or had one of which take has not yet said so. */
int weir_host_journal_start(struct weir_host *host, void *bytes, size_t size);

/* Waits until the journal holds `least` bytes of entries or `timeout` is over, and then exchanges its
 * memory for that of *spare (bytes and size), which holds the entries from then on. Meant for one
 * thread that writes them somewhere, while others run the host; it is no help in running it. Returns
 * 1; 0: nothing came in that time, *spare is as it was; WEIR_ECANCELED: stopped, or the host is being
 * destroyed, and all has been taken. */
int weir_host_journal_take(struct weir_host *host, struct weir_journal *spare, size_t least,
                           weir_time timeout);

/* Packets from now on are not noted. Ends waits of take. */
void weir_host_journal_stop(struct weir_host *host);

/* ---- BSD-style, blocking. Results and errors as the calls of socket.h, but for WEIR_EAGAIN ------- */

int weir_socket(struct weir_host *host, enum weir_socket_kind kind, int protocol);
/* From now on no call on this socket waits: they answer WEIR_EAGAIN, weir_connect WEIR_EINPROGRESS and then
 * WEIR_EALREADY. A socket blocks at first, also one that comes from accept. weir_close still waits while
 * WEIR_SO_LINGER says so. WEIR_EBADF, WEIR_ENOMEM. */
int weir_set_nonblocking(struct weir_host *host, int socket, bool on);

int weir_bind(struct weir_host *host, int socket, const struct weir_endpoint *local);
int weir_listen(struct weir_host *host, int socket, int backlog);

/* Waits for a connection. WEIR_EINVAL once the listener is closed, by this or another thread. */
int weir_accept(struct weir_host *host, int socket, struct weir_endpoint *remote);

/* Waits until established, also if the attempt was begun before. Returns 0 or why not: WEIR_ECONNREFUSED, WEIR_ETIMEDOUT,
 * WEIR_ENETUNREACH, … */
int weir_connect(struct weir_host *host, int socket, const struct weir_endpoint *remote);

/* Waits until all bytes are in the send buffer. Returns the count; less than `length`, or an error,
 * only if the connection ended meanwhile. `flags`: enum weir_message_flags. */
long weir_send(struct weir_host *host, int socket, const void *data, size_t length, int flags);

/* Waits for at least one byte. Returns the count; 0 only at end of stream (or for length 0). */
long weir_recv(struct weir_host *host, int socket, void *data, size_t length);

/* The same from and into several parts, with the flags of socket.h and the marks in *message. A
 * WEIR_MSG_DONTWAIT does not wait (WEIR_EAGAIN, or a count that is less). WEIR_MSG_WAITALL, on a stream
 * and without PEEK: waits until all parts are full; returns less only at the end of the stream, or if
 * the connection failed, which the next call then tells. */
long weir_sendmsg(struct weir_host *host, int socket, const struct weir_message *message,
                  int flags);
long weir_recvmsg(struct weir_host *host, int socket, struct weir_message *message, int flags);

int weir_shutdown(struct weir_host *host, int socket, enum weir_shutdown_how how);

/* Returns at once, unless WEIR_SO_LINGER is positive: then waits until the peer has acknowledged
 * everything or the time is over (WEIR_ETIMEDOUT: the connection goes on closing). */
int weir_close(struct weir_host *host, int socket);

long weir_sendto(struct weir_host *host, int socket, const void *data, size_t length,
                 const struct weir_datagram *to);
long weir_recvfrom(struct weir_host *host, int socket, void *data, size_t length,
                   struct weir_datagram *from);

/* poll(2) for weir sockets: `events` asked for, `revents` answered (enum weir_event_bits; HUP, ERR
 * and CLOSED are always answered). Returns how many have revents, 0 after `timeout` ns, or an
 * error. */
struct weir_pollfd {
    int socket;
    uint32_t events;
    uint32_t revents;
};
int weir_poll(struct weir_host *host, struct weir_pollfd *sockets, unsigned count,
              weir_time timeout);

/* Waits until weir_interest_take finds something in a set of this host's stack, and returns what it
 * found: the number of reports in `events` (at most `max` > 0), 0 after `timeout` ns, or
 * WEIR_EINVAL, WEIR_ENOMEM, WEIR_ECANCELED. Links are read even if a report is ready, so that a
 * program which never runs out of them takes part in the network. The set is made, changed and
 * destroyed between weir_host_lock and weir_host_unlock; any number of threads may wait for it. */
int weir_host_interest_wait(struct weir_host *host, struct weir_interest *interest,
                            struct weir_event *events, int max, weir_time timeout);

int weir_getsockname(struct weir_host *host, int socket, struct weir_endpoint *local);
int weir_getpeername(struct weir_host *host, int socket, struct weir_endpoint *remote);
int weir_setsockopt(struct weir_host *host, int socket, enum weir_option option, int64_t value);
int weir_getsockopt(struct weir_host *host, int socket, enum weir_option option, int64_t *value);
int weir_tcp_info(struct weir_host *host, int socket, struct weir_tcp_info *info);

#ifdef __cplusplus
}
#endif
#endif
