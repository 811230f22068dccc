/* SPDX-License-Identifier: MIT */

/* The deterministic unreliable mode of the sending side. C90 and C++98. */

#ifndef UNRELIABLE_H
#define UNRELIABLE_H

#include "network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define UNRELIABLE_SEED 0x632a

struct unreliable {
    unsigned seed;
    size_t length; /* of the segment that is kept; 0: none */
    unsigned char kept[SEGMENT_MAX];
};

/* What happens to a segment: how often the one in *segment, which may then be another one than before,
 * is to be sent: 0, 1 or 2 times. */
extern int unreliable_pass(struct unreliable *state, const unsigned char **segment, size_t *length);

#ifdef __cplusplus
}
#endif

#endif
