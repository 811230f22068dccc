/* SPDX-License-Identifier: MIT */
#ifndef WEIR_LINK_H
#define WEIR_LINK_H

/* The contract between a stack and whatever carries its packets.
 *
 * Output frames are lent by the link, one at a time: begin (the link lends a buffer), fill, then
 * commit or abort. Commits keep their order; a commit only stages, flush transmits what is staged.
 * Input frames are borrowed: they stay valid until the next receive on the same link.
 *
 * No call blocks. A link reads no clock: the time comes with each call. A link that wraps another
 * (impair) implements the same contract and copies what it holds back into its own bounded queue.
 * A link is used by one thread at a time, but for one freedom that weir_host needs: on a link with
 * a descriptor, receive may run in one thread while another calls the rest. */

#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the bytes of a frame begin with. */
enum weir_l2 { WEIR_L2_IP, WEIR_L2_ETHERNET };

/* State of the transport checksum in a frame. PARTIAL: the field at csum_start + csum_offset holds
 * the folded, uncomplemented pseudo-header sum, and the sum from csum_start to the end is still to
 * be added (Linux's CHECKSUM_PARTIAL). VERIFIED: somebody who can be trusted has checked it. */
enum weir_csum { WEIR_CSUM_NONE, WEIR_CSUM_PARTIAL, WEIR_CSUM_VERIFIED };

struct weir_frame {
    uint8_t *data;         /* first byte of the packet */
    uint32_t length;       /* bytes at data */
    uint32_t headroom;     /* writable bytes before data */
    uint8_t l2;            /* enum weir_l2 */
    uint8_t csum;          /* enum weir_csum */
    uint16_t csum_start;   /* from data; only with PARTIAL */
    uint16_t csum_offset;  /* from csum_start */
    uint16_t gso_size;     /* payload bytes of each segment; 0: one packet */
    uint16_t gso_segments; /* segments in the frame; 0 or 1: one packet */
    uint16_t why;          /* enum weir_why, output only */
    uint64_t tag; /* neighbour on a shared link: who to send to, or who sent it; 0: the only one */
};

struct weir_link;

struct weir_link_ops {
    const char *name; /* "memory", "udp", "impair" */

    /* Lends a frame of at least `bytes` bytes (frame->length is set to `bytes`, headroom as the
     * link has it, all other fields 0). Returns 0; WEIR_EAGAIN if the link is full (link->refused
     * is set then), after which ready() tells when to come back; WEIR_EMSGSIZE if it can never
     * carry that much. */
    int (*begin)(struct weir_link *link, size_t bytes, weir_time now, struct weir_frame *frame);

    /* Stages the lent frame; frame->length may have shrunk. Cannot fail. */
    void (*commit)(struct weir_link *link, const struct weir_frame *frame, weir_time now);

    /* Gives the lent frame back unused. */
    void (*abort)(struct weir_link *link, const struct weir_frame *frame);

    /* Transmits what is staged. Returns 0, or a negative error that concerns the link as a whole
     * (packets that the outside refuses are counted by the link and lost, as on any wire). */
    int (*flush)(struct weir_link *link, weir_time now);

    /* Borrows up to `max` received frames. Returns their number; 0: none at the moment. As long as
     * it returns `max`, the link may hold more that its descriptor does not show: call again before
     * waiting for that. */
    int (*receive)(struct weir_link *link, struct weir_frame *frames, int max, weir_time now);

    /* True if begin would lend a full-sized frame now. */
    bool (*ready)(struct weir_link *link, weir_time now);

    /* When the link wants flush or receive to be called though nothing else happens: held packets
     * fall due, room appears. WEIR_NEVER: no such time. */
    weir_time (*deadline)(struct weir_link *link);

    /* A descriptor that polls readable when receive may return frames, or -1. */
    int (*fd)(struct weir_link *link);

    /* Frees the link and, for a wrapper, what it wraps. */
    void (*destroy)(struct weir_link *link);
};

/* The head of every link. The limits are fixed when the link is made. */
struct weir_link {
    const struct weir_link_ops *ops;
    uint32_t mtu;      /* largest IP packet, bytes */
    uint32_t gso_max;  /* largest frame with gso_size set, bytes; 0: none taken */
    uint8_t l2;        /* enum weir_l2 */
    bool csum_partial; /* takes and gives frames with WEIR_CSUM_PARTIAL */

    /* What the link tells whoever runs it. `refused`: begin has returned WEIR_EAGAIN; the runner
     * clears it when ready() holds again and calls weir_stack_link_ready. `wants_write`: staged
     * frames wait for the descriptor to become writable; the runner then calls flush. Both belong
     * to the sending side. */
    bool refused;
    bool wants_write;
};

#ifdef __cplusplus
}
#endif
#endif
