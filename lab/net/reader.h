/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_READER_H
#define LAB_NET_READER_H

/* What the two files that read descriptions share: json.c the structure, reader.c the values. Functions that
 * return int return 0, or a WEIR_E… with the error filled. */

#include <jansson.h>
#include <lab/net/net.h>
#include <lab/net/where.h>

#define READER_DEPTH_MAX 5

struct reader {
    const char *name; /* of the file */
    const char *text;
    struct net *net;
    struct net_error *error;
    struct where_step path[READER_DEPTH_MAX]; /* to the value that is being read */
    size_t depth;
    unsigned automatic; /* networks without a prefix */
};

/* Fills the error with the line of the current path. Returns WEIR_EINVAL. */
int reader_fail(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a line that is known. */
int reader_fail_at(struct net_error *error, const char *name, unsigned line, const char *what);

/* A fault of the file as a whole; returns `code`. */
int reader_fail_file(struct net_error *error, const char *name, int code, const char *what);
int reader_fail_memory(struct reader *reader);

/* From the value at hand to one of its members or elements, and back. `key` must stay valid. */
void reader_down_key(struct reader *reader, const char *key);
void reader_down_index(struct reader *reader, size_t index);
void reader_up(struct reader *reader);

/* A network's prefix; `value` NULL: the next automatic one. */
int reader_prefix(struct reader *reader, json_t *value, struct net_network *network);

/* Addresses 1 to link_count must be there, with the last one left for broadcasts. */
int reader_check_room(struct reader *reader, const struct net_network *network);

/* The network's name and addresses are no other's. */
int reader_check_overlap(struct reader *reader, const struct net_network *network);

/* The keys of a network that make it bad. */
int reader_impairs(struct reader *reader, json_t *object, struct net_network *network);

#endif
