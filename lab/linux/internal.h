/* SPDX-License-Identifier: MIT */
#ifndef LAB_LINUX_INTERNAL_H
#define LAB_LINUX_INTERNAL_H

/* What the files of lab/linux share: the table of open files and the questions they all ask.
 *
 *   file.c      the table, errors, addresses    stream.c    bytes of TCP sockets
 *   fd.c        socket, bind, listen, names     datagram.c  datagrams of UDP sockets
 *   connect.c   accept, connect, close          transfer.c  message headers; who gets a transfer
 *   ready.c     what is ready; poll             pipe.c      pipes and splice
 *   epoll.c     epoll                           sockopts.c, getsockopt.c   options
 *   info.c      struct tcp_info, SO_MEMINFO */

#include <errno.h>
#include <lab/linux/linux.h>
#include <netinet/in.h>
#include <weir/socket.h>

#define LINUX_FDS_MAX (1 << 16)
#define LINUX_FIRST_FD 3
#define LINUX_PIPE_BYTES 65536u
#define LINUX_INTS_MAX 32u /* options that are only remembered: rows of a table in sockopts.c */

enum linux_kind { LINUX_TCP, LINUX_UDP, LINUX_EPOLL, LINUX_PIPE_READ, LINUX_PIPE_WRITE };

/* How far connect() is, as the application has been told; not the state of the connection. */
enum linux_phase {
    LINUX_UNCONNECTED,
    LINUX_CONNECTING,
    LINUX_CONNECTED,
    LINUX_DISCONNECTING /* shutdown came when the attempt had failed already */
};

/* Options in Linux's words, where weir has none or others. 0 is what Linux starts with. */
struct linux_options {
    uint32_t sndbuf, rcvbuf; /* doubled; 0: not set, weir's own doubled */
    int32_t maxseg;          /* TCP_MAXSEG; 0: not set */
    int32_t linger2;         /* seconds; 0: not set; -1: no FIN-WAIT-2 */
    int32_t defer_accept;    /* seconds, rounded up to a retransmission */
    int32_t linger_time;     /* seconds; counts while is_lingering */
    uint32_t notsent_lowat;
    bool is_lingering, inq;
    int32_t ints[LINUX_INTS_MAX];
};

struct linux_watch; /* epoll.c */
struct linux_epoll;
struct linux_pipe; /* pipe.c */

struct linux_file {
    int fd;
    uint32_t serial; /* no two files have the same */
    enum linux_kind kind;
    enum linux_phase phase;
    int socket; /* the stack's; -1: none */
    bool nonblocking, cloexec;
    bool is_listening;
    bool is_closing; /* close waits; for every other call the number is gone */
    bool has_ended;  /* while closing: the stack has said so */
    bool shut_read, shut_write;
    bool fin_seen; /* the peer's FIN came, as of the last step */
    bool no_space; /* somebody found no room to write, and wants to hear of it */
    struct linux_options options;
    struct linux_watch *watches; /* in epoll sets */
    struct linux_epoll *epoll;
    struct linux_pipe *pipe;
};

struct linux_sockets {
    struct weir_stack *stack;
    struct linux_config config;
    weir_time now;
    struct linux_file **files; /* by descriptor */
    size_t slots;
    size_t no_space; /* files that have it set */
    uint32_t serial; /* of the last file */
};

/* ---- file.c ---- */

/* The open file of a number; NULL: EBADF. */
struct linux_file *linux_find(const struct linux_sockets *sockets, int fd);

/* The socket of a number; NULL: *error is -EBADF or -ENOTSOCK. */
struct linux_file *linux_find_socket(const struct linux_sockets *sockets, int fd, long *error);

/* A file under a new number. NULL: *error is -EMFILE or -ENOMEM. */
struct linux_file *linux_open(struct linux_sockets *sockets, enum linux_kind kind, long *error);

/* Gives the file its socket: the stack's events come back to it. */
void linux_attach(struct linux_sockets *sockets, struct linux_file *file, int socket);

/* Takes it out of its epoll sets and the table. The stack's socket is the caller's. */
void linux_release(struct linux_sockets *sockets, struct linux_file *file);

/* Somebody found no room: a step will look for it. */
void linux_set_no_space(struct linux_sockets *sockets, struct linux_file *file, bool no_space);

/* An IPv4 address from a caller: 0, -EFAULT, -EINVAL or -EAFNOSUPPORT. */
long linux_get_addr(const struct sockaddr *addr, socklen_t length, struct weir_endpoint *endpoint);

/* An address to a caller, cut to *length, which becomes the full length. 0, -EFAULT, -EINVAL. */
long linux_put_addr(const struct weir_endpoint *endpoint, struct sockaddr *addr, socklen_t *length);

/* A call that has to wait until the stack moves. */
long linux_wait_for(struct linux_wait *wait, bool dont_wait);

/* ---- connect.c ---- */

/* Takes the pending error: 0 or -errno, as Linux names it. */
long linux_take_error(struct linux_sockets *sockets, struct linux_file *file);
/* weir's error as Linux names it in the socket's state. */
long linux_error_of(const struct linux_file *file, long error);

/* ---- ready.c ---- */

/* A TCP socket as Linux's tests see it. */
struct linux_stream {
    enum weir_tcp_state state;
    bool is_dead;     /* was, or was to be, connected, and is no more */
    bool peer_closed; /* the FIN came */
    uint32_t readable, queued, unsent, room;
};

void linux_stream_state(const struct linux_sockets *sockets, const struct linux_file *file,
                        struct linux_stream *stream);

/* Bytes that wait to be sent for the first time. */
uint32_t linux_unsent(const struct weir_tcp_info *info);

/* Linux's rule for POLLOUT: a third of the buffer is free, and little is unsent. */
bool linux_has_room(const struct linux_file *file, const struct linux_stream *stream);

/* POLLIN and so on, everything that holds. The same bits as epoll's. */
uint32_t linux_ready_bits(struct linux_sockets *sockets, struct linux_file *file);

/* Nothing is ready: LINUX_WAIT, or 0 once `timeout_ms` (negative: no limit) has passed. */
long linux_wait_until(const struct linux_sockets *sockets, struct linux_wait *wait, int timeout_ms);

/* ---- epoll.c ---- */

/* Something of these bits happened to the file: an edge. */
void linux_wake(struct linux_file *file, uint32_t bits);
void linux_leave_epolls(struct linux_file *file);
void linux_epoll_free(struct linux_epoll *epoll);
bool linux_epoll_is_ready(struct linux_sockets *sockets, const struct linux_epoll *epoll);

/* ---- stream.c, datagram.c, pipe.c: one attempt ---- */

long linux_stream_send(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, struct linux_wait *wait);
long linux_stream_recv(struct linux_sockets *sockets, struct linux_file *file,
                       struct msghdr *message, int flags, struct linux_wait *wait);
long linux_datagram_send(struct linux_sockets *sockets, struct linux_file *file,
                         const struct msghdr *message, int flags, struct linux_wait *wait);
long linux_datagram_recv(struct linux_sockets *sockets, struct linux_file *file,
                         struct msghdr *message, int flags, struct linux_wait *wait);
long linux_pipe_write(struct linux_file *file, const struct msghdr *message,
                      struct linux_wait *wait);
long linux_pipe_read(struct linux_file *file, struct msghdr *message, struct linux_wait *wait);
uint32_t linux_pipe_bits(const struct linux_file *file);
size_t linux_pipe_readable(const struct linux_file *file);
/* One end is gone; with the other the pipe goes. */
void linux_pipe_close(struct linux_file *file);

/* transfer.c: bytes in all parts, or -EFAULT, -EINVAL, -EMSGSIZE. */
long linux_parts_length(const struct msghdr *message);
/* The parts beyond the first `skip` bytes, as spans; free() them. NULL: memory is short. */
struct weir_span *linux_parts_from(const struct msghdr *message, size_t skip, size_t limit,
                                   unsigned *count);
/* Whether a part that is not empty has no memory. */
bool linux_parts_lack_memory(const struct msghdr *message);

/* ---- sockopts.c, info.c ---- */

/* What an accepted socket has from its listener. */
void linux_inherit_options(const struct linux_file *from, struct linux_file *to);
long linux_tcp_info(const struct linux_sockets *sockets, const struct linux_file *file, void *value,
                    socklen_t *length);
long linux_meminfo(const struct linux_sockets *sockets, const struct linux_file *file, void *value,
                   socklen_t *length);
/* Copies a value out, cut to *length, which becomes what was copied. 0, -EFAULT, -EINVAL. */
long linux_put_value(const void *from, size_t size, void *value, socklen_t *length);

#endif
