/* SPDX-License-Identifier: MIT */
#ifndef LAB_PCAP_H
#define LAB_PCAP_H

/* Writes packets to a capture file that tcpdump and Wireshark read: classic pcap, microseconds, raw IP
 * (LINKTYPE_RAW, 101). The same packets at the same times give the same bytes on every machine. */

#include <stddef.h>
#include <weir/types.h>

struct pcap;

/* Makes, or empties, the file. NULL with errno set: it cannot be written, or memory is short. */
struct pcap *pcap_open(const char *path);

/* Adds one IP packet of `length` bytes at time `at` (nanoseconds, at least 0; since 1970 if the file
 * is to show dates). What goes wrong is remembered for pcap_close. NULL is allowed: nothing is written. */
void pcap_write(struct pcap *pcap, weir_time at, const void *bytes, size_t length);

/* Ends the file. Returns 0, or -errno of the first thing that went wrong. NULL is allowed. */
int pcap_close(struct pcap *pcap);

#endif
