/* SPDX-License-Identifier: MIT */
#ifndef TEST_TCP_SETUP_H
#define TEST_TCP_SETUP_H

/* What the conversations of this folder begin with. */

#include <talk/talk.h>

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void setup_config(struct weir_stack_config *config, enum weir_profile profile)
{
    weir_stack_config_init(config);
    memset(config->seed, 0x5a, sizeof(config->seed));
    weir_profile(profile, &config->tcp);
}

/* The peer has answered after `rtt`, so that a sample of that length is known. */
static inline int setup_with_rtt(struct talk *t, weir_time rtt)
{
    int socket = talk_connect(t);
    char text[64];

    talk_out(t, "S 0:0(0)");
    talk_advance(t, rtt);
    snprintf(text, sizeof(text), "S. 0:0(0) ack 1 win %u <mss %d>", t->peer_window, t->peer_mss);
    talk_in(t, text);
    talk_out(t, ". 1:1(0) ack 1");
    return socket;
}

/* A segment of the peer's made from numbers. */
static inline void setup_in(struct talk *t, const char *flags, int64_t seq, uint32_t length,
                            int64_t ack, uint32_t window)
{
    char text[128];

    snprintf(text, sizeof(text), "%s %lld:%lld(%u) ack %lld win %u", flags, (long long)seq,
             (long long)seq + (long long)length, length, (long long)ack, window);
    talk_in(t, text);
}

/* The highest relative sequence number that left so far, and how many segments with data; takes
 * them all. */
static inline uint32_t setup_take_data(struct talk *t, uint32_t *highest)
{
    struct weir_packet packet;
    uint32_t count = 0;

    while (talk_take(t, &packet, NULL)) {
        uint32_t end = packet.seq + packet.payload_length - t->flow->our_isn;

        if (!packet.payload_length)
            continue;
        count++;
        if (highest && end > *highest)
            *highest = end;
    }
    return count;
}

#endif
