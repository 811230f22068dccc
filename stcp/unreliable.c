/* SPDX-License-Identifier: MIT */

/* Losses, doubles and delays as the original's unreliable mode has them: one random number a segment,
 * the same ones in every run. Of 32 segments on average one is lost, one is sent twice, one is kept
 * in place of being sent, and one is lost with the kept one sent in its place. */

#include "unreliable.h"
#include <stdlib.h>
#include <string.h>

int unreliable_pass(struct unreliable *state, const unsigned char **segment, size_t *length)
{
    switch (rand_r(&state->seed) & 31) {
    case 0:
        return 0;
    case 1:
        return 2;
    case 2:
        memcpy(state->kept, *segment, *length);
        state->length = *length;
        return 0;
    case 3:
        if (state->length > 0) {
            *segment = state->kept;
            *length = state->length;
        }
        return 1;
    default:
        return 1;
    }
}
