/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_CONSTANTS_H
#define LAB_NET_CONSTANTS_H

#include <lab/net/generate.h>

/* Reads the times of a file of JSON: rip_periodic_update_rate_ms, rip_timeout_threshold_ms,
 * tcp_rto_min_us, tcp_rto_max_us. What it does not name stays as it is. Returns 0, WEIR_EINVAL or
 * WEIR_EIO with *error filled; *options are untouched then. */
int net_read_constants(const char *path, struct net_options *options, struct net_error *error);

/* Makes such a file, with the course's times. Returns 0, or WEIR_EIO with *error filled. */
int net_write_constants(const char *path, struct net_error *error);

#endif
