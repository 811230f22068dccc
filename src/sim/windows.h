/* SPDX-License-Identifier: MIT */
#ifndef SIM_WINDOWS_H
#define SIM_WINDOWS_H

/* Watches the segments that hosts send and says when a window that was offered shrinks. */

#include <store/alloc.h>
#include <store/table.h>
#include <weir/packet.h>

struct windows {
    struct alloc alloc;
    struct table table;
    uint32_t count;
};

void windows_init(struct windows *windows);
void windows_done(struct windows *windows);

/* A packet as its originator sends it. Returns NULL, or what is wrong. */
const char *windows_check(struct windows *windows, const struct weir_packet *packet);

#endif
