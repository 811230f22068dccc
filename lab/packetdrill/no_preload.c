/* SPDX-License-Identifier: MIT */

/* weir-packetdrill.so: nothing of the process is interposed. The twin is preload.c.
 *
 * The library that is only loaded by --so_filename exports one function and keeps no data of its own;
 * calls that packetdrill makes past the table go to the kernel. */

#include <lab/packetdrill/table.h>

void preload_set(struct adapter *adapter)
{
    (void)adapter;
}

void preload_clear(struct adapter *adapter)
{
    (void)adapter;
}
