/* SPDX-License-Identifier: MIT */
#ifndef LAB_LINUX_LINUX_H
#define LAB_LINUX_LINUX_H

/* Linux's socket calls over one weir stack: descriptors, Linux's structs, numbers, units and errors.
 *
 * Packet scripts and the packetdrill adapter speak Linux; libweir speaks its own words. This is the
 * one place that translates. It does no I/O, never blocks and reads no clock: whoever drives the
 * stack (the drill in virtual time, the adapter in either) calls linux_set_now, makes a call, and
 * if the answer is LINUX_WAIT tries the same call with the same struct linux_wait again after the
 * stack has moved, or when `wake` has come.
 *
 * Every call returns what Linux returns, with -errno in place of -1 and errno. A descriptor without
 * O_NONBLOCK (and a call without MSG_DONTWAIT) answers LINUX_WAIT where Linux would block. Pointers
 * may be NULL or wild where Linux answers EFAULT for NULL: only NULL is found out here.
 *
 * Not for several threads at once: the adapter holds its lock around each attempt. */

#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <weir/inspect.h>

#define LINUX_WAIT LONG_MIN

struct linux_sockets;

/* What a call that waits has to remember between attempts; zero it before the first one. */
struct linux_wait {
    bool begun;      /* the first attempt was made */
    size_t progress; /* bytes taken so far */
    weir_time wake;  /* after LINUX_WAIT: try again at this time at the latest; WEIR_NEVER */
};

/* Where descriptors come from: NULL: the lowest free number from 3. The adapter gives real ones (an
 * eventfd each), so that no number of the process is given twice. `get` returns one or -errno. */
struct linux_numbers {
    int (*get)(void *context);
    void (*put)(void *context, int fd);
    void *context;
};

struct linux_config {
    struct weir_addr local; /* source of datagrams and connections where nothing is bound: any */
    struct linux_numbers numbers;
    uint32_t rmem_max, wmem_max; /* net.core.*: what SO_RCVBUF and SO_SNDBUF are cut to, before they
                                    are doubled; 0: 4 MiB */
};

/* Descriptors on `stack`, which outlives them. NULL if memory is short. */
struct linux_sockets *linux_create(struct weir_stack *stack, const struct linux_config *config);

/* Aborts nothing: sockets that are still open are closed as by close(2). NULL is allowed. */
void linux_destroy(struct linux_sockets *sockets);

void linux_set_now(struct linux_sockets *sockets, weir_time now);

/* The stack's socket behind a descriptor, for weir's own calls; -1: none (epoll, pipe, closed). */
int linux_weir_socket(const struct linux_sockets *sockets, int fd);

/* Takes the stack's events, which also drive edge-triggered epoll. To be called after every step of
 * the stack. */
void linux_step(struct linux_sockets *sockets);

/* ---- The calls: socket(2) and so on. fd.c --------------------------------------------------------- */

long linux_socket(struct linux_sockets *sockets, int domain, int type, int protocol);
long linux_bind(struct linux_sockets *sockets, int fd, const struct sockaddr *addr,
                socklen_t length);
long linux_listen(struct linux_sockets *sockets, int fd, int backlog);
long linux_accept(struct linux_sockets *sockets, int fd, struct sockaddr *addr, socklen_t *length,
                  struct linux_wait *wait);
/* AF_UNSPEC dissolves the connection, as on Linux. */
long linux_connect(struct linux_sockets *sockets, int fd, const struct sockaddr *addr,
                   socklen_t length, struct linux_wait *wait);
/* Waits while SO_LINGER says so. */
long linux_close(struct linux_sockets *sockets, int fd, struct linux_wait *wait);
long linux_shutdown(struct linux_sockets *sockets, int fd, int how);
long linux_fcntl(struct linux_sockets *sockets, int fd, int command, long argument);
/* SIOCINQ (FIONREAD), SIOCOUTQ, FIONBIO; *argument is an int. */
long linux_ioctl(struct linux_sockets *sockets, int fd, unsigned long request, int *argument);
long linux_getsockname(struct linux_sockets *sockets, int fd, struct sockaddr *addr,
                       socklen_t *length);
long linux_getpeername(struct linux_sockets *sockets, int fd, struct sockaddr *addr,
                       socklen_t *length);

/* ---- Bytes: transfer.c. read, readv, recv, recvfrom are recvmsg; write … are sendmsg --------------- */

long linux_sendmsg(struct linux_sockets *sockets, int fd, const struct msghdr *message, int flags,
                   struct linux_wait *wait);
long linux_recvmsg(struct linux_sockets *sockets, int fd, struct msghdr *message, int flags,
                   struct linux_wait *wait);
/* flags 0, no address: read and write. Addresses may be NULL. */
long linux_sendto(struct linux_sockets *sockets, int fd, const void *data, size_t size, int flags,
                  const struct sockaddr *to, socklen_t length, struct linux_wait *wait);
long linux_recvfrom(struct linux_sockets *sockets, int fd, void *data, size_t size, int flags,
                    struct sockaddr *from, socklen_t *length, struct linux_wait *wait);
/* A pipe of 64 KiB; splice between it and a socket. */
long linux_pipe(struct linux_sockets *sockets, int fds[2]);
long linux_splice(struct linux_sockets *sockets, int from, int to, size_t size, unsigned flags,
                  struct linux_wait *wait);

/* ---- Options: sockopts.c. Linux's names, units, lengths and errors --------------------------------- */

/* Also TCP_INFO (the struct tcp_info of Linux 6.18, cut to *length), TCP_CC_INFO (length 0), SO_MEMINFO (nine
 * words), SO_ERROR. */
long linux_getsockopt(struct linux_sockets *sockets, int fd, int level, int name, void *value,
                      socklen_t *length);
long linux_setsockopt(struct linux_sockets *sockets, int fd, int level, int name, const void *value,
                      socklen_t length);

/* ---- Waiting for several: ready.c ------------------------------------------------------------------- */

long linux_poll(struct linux_sockets *sockets, struct pollfd *fds, nfds_t count, int timeout_ms,
                struct linux_wait *wait);
long linux_epoll_create(struct linux_sockets *sockets, int size);
long linux_epoll_ctl(struct linux_sockets *sockets, int epfd, int operation, int fd,
                     struct epoll_event *event);
long linux_epoll_wait(struct linux_sockets *sockets, int epfd, struct epoll_event *events, int max,
                      int timeout_ms, struct linux_wait *wait);

/* ---- sysctl.c: Linux's names of settings ------------------------------------------------------------ */

enum linux_sysctl_result {
    LINUX_SYSCTL_TAKEN,      /* a setting of ours, and set */
    LINUX_SYSCTL_NO_MATTER,  /* known, and it makes no difference here */
    LINUX_SYSCTL_UNKNOWN,    /* nobody knows this name */
    LINUX_SYSCTL_MISSING,    /* turns on a mechanism that weir does not have */
    LINUX_SYSCTL_WRONG_VALUE /* not a value that this name takes */
};

/* `name` as sysctl(8) or as a path under /proc/sys ("net.ipv4.tcp_syn_retries",
 * "net/ipv4/tcp_syn_retries"), `value` as text. To be applied before the stack is created. */
enum linux_sysctl_result linux_sysctl(struct weir_stack_config *stack, struct linux_config *config,
                                      const char *name, const char *value);

#endif
