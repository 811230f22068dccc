/* SPDX-License-Identifier: MIT */

/* What a transport layer (transport.c) may call. Each call is about the connection `sd`, and comes
 * from the thread that runs transport_init for it. C90 and C++98. */

#ifndef STCP_API_H
#define STCP_API_H

#include <errno.h> /* stcp_unblock_application reads it */
#include <mysock.h>
#include <sys/types.h>
#include <time.h>

/* What can be waited for; bits. */
typedef enum {
    TIMEOUT = 0,             /* none came in time */
    APP_DATA = 1,            /* the application has written what nobody has fetched yet */
    NETWORK_DATA = 2,        /* a segment can be received */
    APP_CLOSE_REQUESTED = 4, /* the application has closed; told once */
    ANY_EVENT = APP_DATA | NETWORK_DATA | APP_CLOSE_REQUESTED
} stcp_event_type_t;

/* Waits until something of `wait_flags` is there, or until `abstime` (CLOCK_REALTIME; NULL: for ever),
 * and answers what is there: bits, or TIMEOUT. Data is told as long as it is there, and before a time
 * that has passed. APP_CLOSE_REQUESTED is told whether it is waited for or not, when all that the
 * application has written was fetched, and exactly once. */
extern unsigned int stcp_wait_for_event(mysocket_t sd, unsigned int wait_flags,
                                        const struct timespec *abstime);

/* Takes the oldest segment that has arrived, and waits for one if there is none. At most `max_len`
 * bytes are stored at `dst`; 1500 are always enough. Answers the length of the whole segment, or 0 if
 * there will be none any more, because the network has lost the peer. */
extern ssize_t stcp_network_recv(mysocket_t sd, void *dst, size_t max_len);

/* Sends one segment: the `src_len` bytes at `src` and those of the pairs (const void *, size_t) that
 * follow, up to a NULL. Together they have 20 to 1500 bytes and begin with an STCPHeader. Answers how
 * many were sent, or -1 with errno if there is no network to take them. */
extern ssize_t stcp_network_send(mysocket_t sd, const void *src, size_t src_len, ...);

/* Fetches up to `max_len` bytes that the application has written, and waits for some if there are
 * none. Answers how many. */
extern size_t stcp_app_recv(mysocket_t sd, void *dst, size_t max_len);

/* Hands bytes to the application, in order. */
extern void stcp_app_send(mysocket_t sd, const void *src, size_t src_len);

/* All that the peer will ever send has been handed to the application: it reads the end. */
extern void stcp_fin_received(mysocket_t sd);

/* The connection stands, or cannot be had: myconnect or myaccept returns, with `errno` (0: success)
 * as its outcome. To be called once. */
extern void stcp_unblock_application(mysocket_t sd);

/* A pointer of the transport's own that goes with the connection. */
extern void stcp_set_context(mysocket_t sd, const void *context);
extern void *stcp_get_context(mysocket_t sd);

#endif
