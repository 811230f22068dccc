/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_MARSHAL_H
#define LAB_DRILL_MARSHAL_H

/* The values of a call line as the C structs that Linux's calls take. */

#include <errno.h>
#include <lab/drill/run.h>
#include <lab/linux/linux.h>
#include <netinet/in.h>

#define TRANSFER_MAX (64 << 20) /* bytes of one call */

/* A call line that is being attempted: its arguments, made at the first attempt and kept for the
 * next ones. */
struct marshal {
    struct run *run;
    const struct call_line *line;
    struct outcome *outcome; /* of the present attempt */
    struct arena arena;
    struct linux_wait wait;
    bool is_ready; /* the arguments are made */
    struct sockaddr_in addr;
    socklen_t addr_length;
    struct msghdr message;
    int flags;
    struct pollfd *polled;
    struct epoll_event *events;
    int count; /* of polled, of events */
};

/* Notes what is wrong with the line or with what came of it; the first note counts. */
void complain(struct marshal *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The `index`-th argument; NULL: the line has fewer. */
const struct value *marshal_arg(const struct marshal *call, unsigned index);

/* A number; `otherwise` for `...` and for an argument that is not there. */
int64_t marshal_int(struct marshal *call, unsigned index, int64_t otherwise);

/* Linux's descriptor for the script's number; -1: there is none. */
int marshal_fd(struct marshal *call, unsigned index);

/* Whether a pointer is given as 0 or NULL. */
bool marshal_is_null(const struct value *value);

/* The field of a record; NULL: it has none of that name. */
const struct value *marshal_field(const struct value *record, const char *name);

/* An address: `...` is addr:port, AF_UNSPEC an address of no family, a record what it says. Fills
 * call->addr; returns it, or NULL for NULL. */
struct sockaddr *marshal_addr(struct marshal *call, const struct value *value,
                              const struct weir_addr *addr, uint16_t port);

/* One buffer of `size` bytes: zeros for `...`, a string's bytes when sending. NULL for NULL. */
void *marshal_buffer(struct marshal *call, const struct value *value, int64_t size, bool sending);

/* Fills call->message from a list of {buffer, size}, or from a whole msghdr record. */
void marshal_parts(struct marshal *call, const struct value *list, bool sending);
void marshal_message(struct marshal *call, const struct value *record, bool sending);

/* After receiving `got` bytes: strings that the script gave as buffers are compared, if got > 0. */
void check_buffer(struct marshal *call, const struct value *value, const void *bytes, long got);
void check_addr(struct marshal *call, const struct value *record);
void check_parts(struct marshal *call, const struct value *list, long got);
/* And what a record says of msg_flags, msg_name and msg_control. */
void check_message(struct marshal *call, const struct value *record);

/* Notes that a call made a descriptor: the script's number, if it names one, means it from now on. */
void marshal_bind_fd(struct marshal *call, const struct value *number, long fd);

/* transfers.c, waits.c, sockopts.c: the calls; results as Linux's. */
long call_read(struct marshal *call);
long call_readv(struct marshal *call);
long call_recv(struct marshal *call);
long call_recvfrom(struct marshal *call);
long call_recvmsg(struct marshal *call);
long call_write(struct marshal *call);
long call_writev(struct marshal *call);
long call_send(struct marshal *call);
long call_sendto(struct marshal *call);
long call_sendmsg(struct marshal *call);
long call_poll(struct marshal *call);
long call_epoll_create(struct marshal *call);
long call_epoll_ctl(struct marshal *call);
long call_epoll_wait(struct marshal *call);
long call_setsockopt(struct marshal *call);
long call_getsockopt(struct marshal *call);

/* sockets.c: a socket that has just got its addresses becomes the socket under test. */
void note_connection(struct run *run, int fd, bool is_new);
/* The same after call->addr was sent a datagram. */
void note_datagram(struct marshal *call, int fd);

#endif
