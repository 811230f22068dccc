/* SPDX-License-Identifier: MIT */
#ifndef WEIR_VSOCKET_H
#define WEIR_VSOCKET_H

/* The course's socket calls. Like POSIX they return -1 and set errno. All but VOpen, VEnter and
 * VClose block, in the calling thread only. */

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_host;

/* Makes this process the node that the lnx file describes, and this node the current one of the
 * process (every thread's, unless that thread has entered another). Profile `brown`. A second
 * VOpen adds another node and makes it the calling thread's current one. Returns a number that
 * VEnter takes, or -1: ENOENT, EINVAL (the file's fault is printed by nobody: see VOpenError),
 * EADDRINUSE, ENOMEM. */
int VOpen(const char *lnx_path);

/* What was wrong with the last lnx file that this thread gave to VOpen: "h1.lnx:3: …", or "". */
const char *VOpenError(void);

/* Makes the node of an earlier VOpen the calling thread's current one. EINVAL. */
int VEnter(int node);

/* A listening socket on any local address. EADDRINUSE, ENETDOWN (no VOpen), EMFILE. */
int VListen(uint16_t port);

/* The next established connection. EINVAL once the listener is closed. */
int VAccept(int listener);

/* A connected socket. `addr` is in network order, as everywhere in POSIX; `port` in host order.
 * ETIMEDOUT, ECONNREFUSED, ENETUNREACH. */
int VConnect(struct in_addr addr, uint16_t port);

/* At least one byte; 0 only at end of stream (or for n == 0). */
ssize_t VRead(int socket, void *buffer, size_t n);

/* Waits until all n bytes are in the send buffer; a smaller count if the connection ended on the
 * way. EPIPE after VClose by the peer's reset or our own close. */
ssize_t VWrite(int socket, const void *buffer, size_t n);

/* Returns at once; queued data and the FIN are still delivered while any thread waits in a weir
 * call, or at exit: VOpen registers a last wait (at most 30 s) for connections that close. */
int VClose(int socket);

#ifdef __cplusplus
}
#endif
#endif
