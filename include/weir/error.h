/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

/* Errors of the public calls: negative, POSIX in meaning, the same number on every platform. A call
 * returns 0 or a count when it succeeds. Bad packets are never errors: see drop.h. */

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, text): WEIR_E##name is -number; numbers are those of Linux, so that a log reads
 * the same everywhere. */
/* clang-format off */
#define WEIR_ERRORS(X)                                                   \
    X(PERM, 1, "operation not permitted")                                \
    X(NOENT, 2, "no such file or directory")                             \
    X(INTR, 4, "interrupted")                                            \
    X(IO, 5, "input/output error")                                       \
    X(BADF, 9, "no such socket")                                         \
    X(AGAIN, 11, "would block")                                          \
    X(NOMEM, 12, "the memory budget is used up")                         \
    X(EXIST, 17, "already exists")                                       \
    X(INVAL, 22, "invalid argument")                                     \
    X(MFILE, 24, "too many open sockets")                                \
    X(PIPE, 32, "cannot send after shutdown")                            \
    X(NONET, 64, "machine is not on the network")                        \
    X(PROTO, 71, "protocol error")                                       \
    X(MSGSIZE, 90, "message too long")                                   \
    X(PROTOTYPE, 91, "wrong kind of socket for this call")               \
    X(NOPROTOOPT, 92, "no such option")                                  \
    X(OPNOTSUPP, 95, "operation not supported in this state")            \
    X(ADDRINUSE, 98, "address already in use")                           \
    X(ADDRNOTAVAIL, 99, "address not available")                         \
    X(NETDOWN, 100, "network is down")                                   \
    X(NETUNREACH, 101, "network is unreachable")                         \
    X(CONNABORTED, 103, "connection aborted")                            \
    X(CONNRESET, 104, "connection reset by peer")                        \
    X(NOBUFS, 105, "no buffer space available")                          \
    X(ISCONN, 106, "already connected")                                  \
    X(NOTCONN, 107, "not connected")                                     \
    X(TIMEDOUT, 110, "timed out")                                        \
    X(CONNREFUSED, 111, "connection refused")                            \
    X(HOSTDOWN, 112, "host is down")                                     \
    X(HOSTUNREACH, 113, "no route to host")                              \
    X(ALREADY, 114, "already in progress")                               \
    X(INPROGRESS, 115, "in progress")                                    \
    X(CANCELED, 125, "operation canceled")
/* clang-format on */

enum weir_error {
#define X(name, number, text) WEIR_E##name = -(number),
    WEIR_ERRORS(X)
#undef X
};

/* The text of an error returned by weir ("connection refused"), and its name ("WEIR_ECONNREFUSED").
 * Never NULL; an unknown number gives "unknown error". */
const char *weir_strerror(int error);
const char *weir_error_name(int error);

#ifdef __cplusplus
}
#endif
#endif
