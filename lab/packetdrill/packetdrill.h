/* SPDX-License-Identifier: MIT */
#ifndef LAB_PACKETDRILL_PACKETDRILL_H
#define LAB_PACKETDRILL_PACKETDRILL_H

/* What packetdrill's shared-library mode (--so_filename) asks a library for: one function that fills
 * this table. Members stand in the order that packetdrill wants. Each takes `userdata` first and is
 * otherwise the POSIX or Linux call of its name: -1 and the calling thread's errno on failure. */

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t length);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *length);
    int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t length);
    ssize_t (*read)(void *userdata, int fd, void *data, size_t size);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *parts, int count);
    ssize_t (*recv)(void *userdata, int fd, void *data, size_t size, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *data, size_t size, int flags,
                        struct sockaddr *from, socklen_t *length);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *data, size_t size);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *parts, int count);
    ssize_t (*send)(void *userdata, int fd, const void *data, size_t size, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *to, socklen_t length);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value,
                      socklen_t length);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);
    int (*netdev_send)(void *userdata, const void *packet, size_t length);
    int (*netdev_receive)(void *userdata, void *packet, size_t *length, long long *time_usecs);
    int (*usleep)(void *userdata, useconds_t usecs);
    int (*gettimeofday)(void *userdata, struct timeval *now, struct timezone *zone);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epfd, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int max,
                      int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    ssize_t (*splice)(void *userdata, int from, loff_t *from_offset, int to, loff_t *to_offset,
                      size_t size, unsigned flags);
};

/* Fills the table. `flags` (may be NULL): docs/packetdrill.md. After wrong flags, which are told on
 * stderr, every call fails with EINVAL. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table);

#endif
