/* SPDX-License-Identifier: MIT */
#ifndef UNIT_LAB_LINUX_WORLD_H
#define UNIT_LAB_LINUX_WORLD_H

/* Two stacks on one wire in virtual time, each under Linux's calls: side 0 is 10.0.0.1, side 1 is
 * 10.0.0.2. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lab/linux/linux.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir/links.h>

struct world {
    struct weir_hub *hub;
    struct weir_stack *stacks[2];
    struct linux_sockets *sides[2];
    weir_time now;
    bool is_cut; /* what is sent is lost */
};

/* Defaults: NULL for either. */
void world_open(struct world *world, const struct weir_stack_config *stack,
                const struct linux_config *config);
void world_close(struct world *world);

/* Moves packets and steps both sides until nothing happens at this instant. */
void world_settle(struct world *world);
void world_pass(struct world *world, weir_time time);

struct sockaddr_in world_addr(int side, uint16_t port);

/* Calls that must not wait, with the boilerplate left out. */
int world_listen(struct world *world, int side, uint16_t port);
long world_connect(struct world *world, int side, int fd, uint16_t port);
long world_accept(struct world *world, int side, int fd);
long world_close_fd(struct world *world, int side, int fd);
long world_send(struct world *world, int side, int fd, const void *data, size_t size, int flags);
long world_recv(struct world *world, int side, int fd, void *data, size_t size, int flags);
long world_set(struct world *world, int side, int fd, int level, int name, int value);
/* The value, or -errno. */
long world_get(struct world *world, int side, int fd, int level, int name);
/* What poll says of one descriptor, everything asked for. */
int world_poll(struct world *world, int side, int fd);

/* A connection from side 0 to port 80 of side 1: fds[0] and fds[1], both non-blocking and without
 * Nagle's algorithm. */
void world_pair(struct world *world, int fds[2]);

#endif
