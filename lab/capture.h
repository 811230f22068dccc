/* SPDX-License-Identifier: MIT */
#ifndef LAB_CAPTURE_H
#define LAB_CAPTURE_H

/* A capture file that is filled from the journals of stacks: pcapng, raw IP, nanoseconds, with the
 * reason why each packet was sent and the name of each drop. The same entries give the same bytes on
 * every machine.
 *
 * Nothing here waits for anything but the file; a node that must not wait for its file either is
 * captured by a recorder (lab/recorder.h). The process must ignore or block SIGPIPE and SIGXFSZ in
 * the thread that writes, or a pipe without a reader and a limit on file sizes end it. */

#include <weir/pcapng.h>

struct capture;

struct capture_options {
    weir_time epoch; /* what to add to the journal's times to have nanoseconds since 1970 */
    int stop_fd; /* readable: who reads the pipe has CAPTURE_GRACE left; -1: as long as it likes */
};

#define CAPTURE_GRACE WEIR_SECOND

/* Makes, or empties, the file; waits until somebody opens a FIFO for reading. NULL with errno set:
 * it cannot be written, or memory is short. `options` NULL: all zero, and waits as long as it takes. */
struct capture *capture_open(const char *path, const struct capture_options *options);

/* Says what interface `iface` of stack `source` is. Those of which nobody has said it by the time of
 * their first packet are called lo and if0, if1, …, of other stacks than 0 with n1. before it. */
void capture_name(struct capture *capture, uint32_t source, int iface,
                  const struct weir_pcapng_interface *row);

/* The same for all interfaces that the stack has now. */
void capture_name_all(struct capture *capture, uint32_t source, const struct weir_stack *stack,
                      const char *prefix);

/* A journal with memory of the capture's own, for stacks that the calling thread runs; NULL: memory
 * is short. It may be set on any number of stacks, which must let go of it before the capture is
 * closed, and is emptied by capture_take (NULL as the journal: this one). */
struct weir_journal *capture_journal(struct capture *capture);

struct weir_sim;

/* Captures a node of a simulation, or all (CAPTURE_ALL), in whose file each packet stands for every
 * node that had it. Interfaces are called n0.if0 and so on. Between runs, the file may be behind.
 * False: memory is short. Before the capture is closed: capture_sim_stop. */
#define CAPTURE_ALL (-1)
bool capture_sim(struct capture *capture, struct weir_sim *sim, int node);
void capture_sim_stop(struct capture *capture, struct weir_sim *sim);

/* Takes all entries out of the journal. What goes wrong is remembered; from then on entries are
 * thrown away, and count as missing. NULL as the capture is allowed: nothing is done. */
void capture_take(struct capture *capture, struct weir_journal *journal);

/* Hands to the system what is buffered. Returns 0, or -errno of the first thing that went wrong. */
int capture_flush(struct capture *capture);

/* How far it has come. */
struct capture_counts {
    uint64_t packets, bytes; /* in the file: bytes as flushed, packets as taken */
    uint64_t missed;         /* packets that found no room in the journal */
};

void capture_counts(const struct capture *capture, struct capture_counts *counts);

/* Writes what was counted, ends the file, frees the capture. Returns as capture_flush. After an error
 * the file ends with the last whole block that it took. NULL is allowed. */
int capture_close(struct capture *capture);

#endif
