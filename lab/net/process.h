/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_PROCESS_H
#define LAB_NET_PROCESS_H

/* Processes that are known by a file, and never taken for another that has got their number. */

#include <stdbool.h>
#include <sys/types.h>

/* Writes who the calling process is to `path`, at once or not at all. Returns 0 or -1 with errno. */
int process_write(const char *path);

/* A descriptor (pidfd) of the process that wrote `path`, and its number; -1 if it is not running any
 * more, or there is no such file. */
int process_open(const char *path, pid_t *pid);

/* Whether `path` is a file that process_write has written, be the process alive or not. */
bool process_is_file(const char *path);

/* Whether the process of a descriptor has ended. */
bool process_has_ended(int pidfd);

/* Sends a signal. Returns 0, or -1 with errno. */
int process_signal(int pidfd, int signal);

#endif
