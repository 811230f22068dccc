/* SPDX-License-Identifier: MIT */
#ifndef LAB_PACKETDRILL_TABLE_H
#define LAB_PACKETDRILL_TABLE_H

/* What the two forms of the library share and differ in. */

#include <lab/packetdrill/adapter.h>
#include <lab/packetdrill/packetdrill.h>

/* table.c: two entries of the table, which the preload twin also calls. */
int table_close(void *userdata, int fd);
int table_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *length);

/* preload.c, or no_preload.c: the adapter whose descriptors the process's own calls may meet. */
void preload_set(struct adapter *adapter);
void preload_clear(struct adapter *adapter);

#endif
