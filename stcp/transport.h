/* SPDX-License-Identifier: MIT */

/* What STCP's transport layer and the layers around it agree upon: the header of a segment and the
 * call that runs a connection. C90 and C++98.
 *
 * An STCP segment is a TCP header of 20 bytes, in network byte order, and up to STCP_MSS bytes of
 * payload. The layer below fills in th_sport, th_dport and th_sum, and sets th_urp to 0. */

#ifndef TRANSPORT_H
#define TRANSPORT_H

/* The system's own struct tcphdr has other names. */
#if defined(_NETINET_TCP_H) || defined(__NETINET_TCP_H)
#error "transport.h and <netinet/tcp.h> cannot be used together"
#endif
#define _NETINET_TCP_H 1

#include <mysock.h>
#include <stdio.h> /* it declares a dprintf of its own; see below */
#include <sys/types.h>

typedef uint32_t tcp_seq;

typedef struct tcphdr {
    uint16_t th_sport;
    uint16_t th_dport;
    tcp_seq th_seq; /* of the first byte of payload, or of SYN or FIN */
    tcp_seq th_ack; /* the next one expected; only with TH_ACK */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    unsigned char th_x2 : 4;
    unsigned char th_off : 4; /* length of the header in words of 4 bytes */
#else
    unsigned char th_off : 4;
    unsigned char th_x2 : 4;
#endif
    uint8_t th_flags;
#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PUSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20
    uint16_t th_win; /* bytes that may be sent from th_ack on */
    uint16_t th_sum;
    uint16_t th_urp;
} __attribute__((packed)) STCPHeader;

/* Where the payload of the segment at `packet` begins, in bytes from its start. */
#define TCP_DATA_START(packet) (((const STCPHeader *)(packet))->th_off * sizeof(uint32_t))
/* Bytes of options. */
#define TCP_OPTIONS_LEN(packet) (TCP_DATA_START(packet) - sizeof(STCPHeader))

#ifndef STCP_MSS
#define STCP_MSS 536 /* bytes of payload, without header */
#endif

#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef MAX
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

/* Messages for whoever looks for a bug: nothing unless compiled with -DDEBUG. our_dprintf, defined in
 * transport.c, takes what printf takes. */
#ifdef __GNUC__
extern void our_dprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
#else
extern void our_dprintf(const char *format, ...);
#endif

#undef dprintf
#undef dperror
#ifdef DEBUG
#define dprintf our_dprintf
#define dperror perror
#else
#define dprintf 1 ? (void)0 : our_dprintf
#define dperror(text) ((void)0)
#endif

/* Runs a connection from its first segment to its last; a thread calls it, for nothing else. When it
 * returns the connection is over. `is_active`: myconnect was called; else a SYN has arrived, and waits
 * to be received. stcp_api.h is all that it may call. */
extern void transport_init(mysocket_t sd, bool_t is_active);

#endif
