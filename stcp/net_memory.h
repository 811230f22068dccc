/* SPDX-License-Identifier: MIT */

/* A network inside the process, for tests: all sockets are at 127.0.0.1, and their ports tell them
 * apart. C90 and C++98. */

#ifndef NET_MEMORY_H
#define NET_MEMORY_H

#include "network.h"

/* What happens to segments: so many of 1000 each. */
struct memory_faults {
    unsigned lost;
    unsigned doubled;
    unsigned delayed; /* behind the next one of the same sender */
};

extern const struct network network_memory;

/* From now on, for channels that are opened. Which segments are hit depends only on the seed, on both
 * ports, and on how many were sent before. */
extern void memory_set(unsigned seed, const struct memory_faults *faults);
/* Segments that were lost, doubled or delayed since memory_set. */
extern unsigned long memory_count(void);

#endif
