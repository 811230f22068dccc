/* SPDX-License-Identifier: MIT */
#ifndef TCP_CC_H
#define TCP_CC_H

/* The congestion controls: one file in cc/ and one line here each. */

#include <weir/cc.h>

/* X(symbol of the struct weir_cc_ops) */
#define TCP_CCS(X) X(cc_newreno)

#define X(symbol) extern const struct weir_cc_ops symbol;
TCP_CCS(X)
#undef X

/* By name; NULL: none of that name. */
const struct weir_cc_ops *cc_find(const char *name);

/* The index-th, NULL past the end; the index of one of them, which takes less room than a pointer. */
const struct weir_cc_ops *cc_at(unsigned index);
uint8_t cc_row_of(const struct weir_cc_ops *ops);

#endif
