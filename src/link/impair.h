/* SPDX-License-Identifier: MIT */
#ifndef LINK_IMPAIR_H
#define LINK_IMPAIR_H

/* What the wrapper impair and the parser of its values share. */

#include <weir/links.h>

/* True if every value is within its range. */
bool impair_is_valid(const struct weir_impair *set);

#endif
