/* SPDX-License-Identifier: MIT */
#ifndef LAB_RECORDER_H
#define LAB_RECORDER_H

/* Captures a running host into a file or FIFO without ever stopping it: a thread takes the host's
 * journal and writes it (lab/capture.h). What the thread cannot keep up with is left out, and counted
 * in the file. */

#include <lab/capture.h>
#include <weir/host.h>

#define RECORDER_ERROR_TEXT 256

struct recorder;

/* Begins. Packets are noted from now on; a FIFO may get its reader later. NULL, with one line that
 * says why in `error` (RECORDER_ERROR_TEXT bytes): the file cannot be written, the host is being
 * captured already, or memory is short. The host must outlive the recorder. */
struct recorder *recorder_start(struct weir_host *host, const char *path, char *error);

/* A descriptor that polls readable once the recorder has ended, by itself or because it was asked
 * to; not before. */
int recorder_fd(const struct recorder *recorder);

/* Asks it to end, and does not wait: the descriptor tells when it has, which takes no longer than
 * CAPTURE_GRACE beyond what a disk takes. Packets from now on are not captured. */
void recorder_stop(struct recorder *recorder);

/* What is in the file so far, and what is not. */
void recorder_counts(struct recorder *recorder, struct capture_counts *counts);

/* Asks it to end, waits until it has, and frees it. Returns 0, or -errno of what has ended it: ENOSPC,
 * EFBIG, EPIPE (the reader has gone), ETIMEDOUT (the reader did not take the rest), ECANCELED (no
 * reader came). *counts (may be NULL) says what is in the file. NULL is allowed: 0. */
int recorder_finish(struct recorder *recorder, struct capture_counts *counts);

#endif
