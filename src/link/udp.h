/* SPDX-License-Identifier: MIT */
#ifndef LINK_UDP_H
#define LINK_UDP_H

/* The two halves of the UDP link. They share nothing but the descriptor, so that one thread may
 * receive while another sends. */

#include <netinet/in.h>
#include <sys/socket.h>
#include <weir/link.h>

#define UDP_BATCH 64          /* messages of one system call, and buffers of a sender */
#define UDP_HEADROOM 64u      /* bytes before each frame that may be written to */
#define UDP_PAYLOAD_MAX 65507 /* bytes of the largest datagram, and of the largest run */
#define UDP_ROOM 65536u       /* bytes of a receive buffer */

/* Room for the one control message that we send or receive: UDP_SEGMENT or UDP_GRO. */
struct udp_control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

struct udp_sender {
    int fd;
    size_t room;               /* bytes of each buffer, after its headroom */
    uint8_t *bytes;            /* UDP_BATCH buffers */
    uint8_t *order[UDP_BATCH]; /* the buffers: staged ones first, in order of commit */
    struct iovec vectors[UDP_BATCH];
    struct sockaddr_in peers[UDP_BATCH];
    struct mmsghdr headers[UDP_BATCH]; /* made anew for each system call */
    struct udp_control controls[UDP_BATCH];
    int staged;
    bool is_lent;
    bool can_segment; /* the system cuts runs for us: UDP_SEGMENT */
    uint64_t sent, failed, runs_sent, runs_refused;
};

struct udp_receiver {
    int fd;
    uint8_t *bytes; /* UDP_BATCH buffers of UDP_ROOM bytes, each after its headroom */
    struct iovec vectors[UDP_BATCH];
    struct sockaddr_in peers[UDP_BATCH];
    struct mmsghdr headers[UDP_BATCH];
    struct udp_control controls[UDP_BATCH];
    int messages;  /* of the last system call */
    int message;   /* the first that is not handed out in full */
    size_t offset; /* how much of it is */
    uint64_t received, errors, runs_received;
};

/* udp_send.c. `can_segment`: the system takes UDP_SEGMENT. False if memory is short. */
bool udp_sender_init(struct udp_sender *out, int fd, uint32_t mtu, bool can_segment);
void udp_sender_done(struct udp_sender *out);
/* Lends a buffer of room for `bytes`, which fit; false: all are staged, and the socket is full. */
bool udp_sender_lend(struct udp_sender *out, uint32_t bytes, bool *wants_write,
                     struct weir_frame *frame);
/* Stages the lent frame; one for nobody is counted as failed. */
void udp_sender_stage(struct udp_sender *out, const struct weir_frame *frame);
/* Sends what the socket takes; *wants_write: it did not take all. */
void udp_sender_flush(struct udp_sender *out, bool *wants_write);

/* udp_receive.c. False if memory is short. */
bool udp_receiver_init(struct udp_receiver *in, int fd);
void udp_receiver_done(struct udp_receiver *in);
/* As receive of weir/link.h. */
int udp_receiver_take(struct udp_receiver *in, struct weir_frame *frames, int max);

#endif
