/* SPDX-License-Identifier: MIT */

/* Sockets over STCP, for applications. Errors are -1 with errno, unless said otherwise. C90 and C++98.
 * Any thread may make any call. */

#ifndef MYSOCK_H
#define MYSOCK_H

#if !defined(LINUX) && !defined(SOLARIS)
#error "define LINUX or SOLARIS"
#endif

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

typedef int bool_t;
#undef TRUE
#undef FALSE
#define TRUE 1
#define FALSE 0

typedef int mysocket_t;

/* The connections that the table holds at first; it grows. A power of two. */
#define MAX_NUM_CONNECTIONS 64

/* A socket: the lowest descriptor that is free, from 0. Written mysocket() or mysocket(is_reliable);
 * with FALSE what it sends is lost, doubled and reordered now and then. EMFILE: no memory, or the
 * process may have no more descriptors. */
#ifdef __cplusplus
extern mysocket_t mysocket(bool_t is_reliable = TRUE);
#else
extern mysocket_t mysocket_open(bool_t is_reliable);
#define mysocket(...) mysocket_open(sizeof(#__VA_ARGS__) > 1 ? (__VA_ARGS__ + 0) : TRUE)
#endif

/* EADDRNOTAVAIL: no IPv4 address, or not ours. EADDRINUSE. EINVAL: bound or connected already. */
extern int mybind(mysocket_t sd, struct sockaddr *addr, int addrlen);

/* At most backlog + 1 connections wait to be accepted, and 128 to be made. The socket must be bound
 * (else EINVAL). */
extern int mylisten(mysocket_t sd, int backlog);

/* Blocks until the connection stands (0) or cannot be had (-1, errno as the transport says).
 * EINVAL: no such socket, or it listens. EISCONN: it has a peer, perhaps one that it could not reach. */
extern int myconnect(mysocket_t sd, struct sockaddr *name, int namelen);

/* Blocks until a connection has come, and answers its socket. `addr` (or NULL) becomes the peer's
 * address; *addrlen is its size before and after. EBADF; EINVAL: it does not listen. */
extern int myaccept(mysocket_t sd, struct sockaddr *addr, int *addrlen);

/* Ends our direction when everything written was sent, waits for the end of the connection, and frees
 * the socket. What was not read is lost. Of a listener: also closes what was never accepted. */
extern int myclose(mysocket_t sd);

/* Blocks until there is something to read; answers all there is, up to `length` bytes; 0 at the end,
 * again and again. EBADF, also when it is closed meanwhile; EINVAL: it listens; ENOTCONN. */
extern int myread(mysocket_t sd, void *buffer, size_t length);

/* Queues all bytes for sending, and blocks while 1 MiB or more is queued. Answers `length`, or less if
 * the connection ends meanwhile. EBADF; EINVAL: it listens; ENOTCONN; EPIPE: the connection is over. */
extern int mywrite(mysocket_t sd, const void *buffer, size_t length);

extern int mygetsockname(mysocket_t sd, struct sockaddr *addr, socklen_t *addrlen);
/* ENOTCONN: there is no peer. */
extern int mygetpeername(mysocket_t sd, struct sockaddr *addr, socklen_t *addrlen);

/* The address of this machine that a peer at `peer_addr` sees; both in network byte order. */
extern uint32_t mylocalip(uint32_t peer_addr);

#endif
