/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

/* One stack on a hub of two ends, its applications, and the wire under watch: the stage of
 * fuzz_tcp. See there for what is promised. */

#include "fuzz.h"
#include <sim/windows.h>
#include <weir/inspect.h>
#include <weir/links.h>
#include <weir/packet.h>

#define APPS 6u
#define BATCH 8
#define WORLD_MTU 1500u

/* What an application knows of its socket. */
struct app {
    int socket; /* -1: none */
    uint32_t written, taken;
    uint32_t irs; /* with knows_irs: of its peer */
    bool knows_irs;
};

struct world {
    struct reader in;
    struct ledger ledger;
    struct weir_stack *stack;
    struct weir_hub *hub;
    struct weir_link *mine, *theirs; /* the stack's end, and where we listen */
    struct windows windows;
    weir_time now;
    uint32_t budget; /* of a poll; 0: none */

    struct app apps[APPS];
    unsigned current;
    uint16_t our_port, peer_port; /* of the flow that segments are made for */

    uint32_t
        heard_end; /* one past the last sequence number that was heard: what an ACK would say */
    uint32_t heard_ack; /* what the last one heard acknowledged, or our ISN */
    uint8_t last[28];   /* the beginning of the last packet */
    uint32_t last_length;

    struct weir_frame batch[BATCH];
    int batch_count;
    bool is_full;    /* nobody takes packets off the wire */
    bool is_tainted; /* what is read may be anything */
    bool is_over;    /* the watch over streams is off: another stack talks */
};

struct segment {
    uint32_t seq, ack, length;
    uint16_t window, urgent;
    uint8_t flags;
    uint8_t options;     /* 0: none; 1: MSS 1460; 2: MSS 100; 3: unknown ones */
    uint8_t port_offset; /* added to the peer's port: another flow */
    bool waits;          /* arrives together with the next one */
};

struct weir_addr our_addr(void);
struct weir_addr peer_addr(void);

void fuzz_world_create(struct world *world, uint8_t options);
void fuzz_world_destroy(struct world *world);

/* The peer sends this. */
void fuzz_world_inject(struct world *world, const struct segment *segment);
void fuzz_world_send_packet(struct world *world, const struct weir_packet *packet);

/* Delivers what waits, polls until there is rest, and checks. */
void fuzz_world_settle(struct world *world);
void fuzz_world_pass_time(struct world *world, weir_time duration);

/* Aborts everything and lets ten minutes pass: nothing may be left. */
void fuzz_world_clean_up(struct world *world);

/* An ordinary transfer each way between the stack and a new one. */
void fuzz_world_transfer(struct world *world);

/* The current application. Nothing of it may be opened yet for connect and listen. */
void app_connect(struct world *world);
void app_listen(struct world *world);
void app_send(struct world *world, uint32_t length, int flags);
void app_receive(struct world *world, uint32_t length);

/* What is known of its connection; zeros if there is none. */
struct weir_tcp_info app_info(const struct world *world);

#endif
