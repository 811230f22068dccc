/* SPDX-License-Identifier: MIT */
#ifndef BASE_RARE_H
#define BASE_RARE_H

/* Marks a function that few packets come to. It is kept out of the code of the others, which so fits
 * the instruction cache. */
#define RARE __attribute__((cold))

#endif
