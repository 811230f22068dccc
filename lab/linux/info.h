/* SPDX-License-Identifier: MIT */
#ifndef LAB_LINUX_INFO_H
#define LAB_LINUX_INFO_H

/* The fields of Linux's struct tcp_info and of SO_MEMINFO by their names, for scripts. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/inspect.h>

#define LINUX_MEMINFO_WORDS 9
#define LINUX_TCP_INFO_BYTES 280 /* what TCP_INFO gives, if so many are asked for */

struct tcp_info; /* <linux/tcp.h> */

/* What Linux would say of a connection at the time `now`. */
void linux_tcp_info_from(const struct weir_tcp_info *from, weir_time now, struct tcp_info *to);

/* The `index`-th name of struct tcp_info ("tcpi_state"), in its order; NULL: no more. */
const char *linux_tcp_info_name(size_t index);

/* A field of *info by name. False: Linux has no such field, or weir has no truth to put there. */
bool linux_tcp_info_field(const struct tcp_info *info, const char *name, int64_t *value);

/* The name of a word of SO_MEMINFO ("SK_MEMINFO_RCVBUF"); NULL: no more. */
const char *linux_meminfo_name(size_t index);

#endif
