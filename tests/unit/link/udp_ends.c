/* SPDX-License-Identifier: MIT */

/* Ends of UDP links for tests: see udp_ends.h. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <tests/unit/link/udp_ends.h>
#include <unistd.h>
#include <weir/error.h>

int ends_open_socket(uint64_t *tag)
{
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_addr = {.s_addr = htonl(ENDS_LOCALHOST)}};
    socklen_t length = sizeof(local);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &length), 0);
    *tag = weir_udp_tag(ENDS_LOCALHOST, ntohs(local.sin_port));
    return fd;
}

/* A free port is found by asking for one and giving it back. */
struct weir_link *ends_open_link(uint32_t mtu, uint64_t *tag)
{
    for (int tries = 0; tries < 20; tries++) {
        struct weir_link *link;
        int error;

        close(ends_open_socket(tag));
        link = weir_udp_create(ENDS_LOCALHOST, (uint16_t)*tag, mtu, &error);
        if (link)
            return link;
        assert_int_equal(error, WEIR_EADDRINUSE);
    }
    fail_msg("no free port");
    return NULL;
}

long ends_read(int fd, void *bytes, size_t room)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&entry, 1, ENDS_PATIENCE_MS), 1);
    return recv(fd, bytes, room, 0);
}

void ends_fill(uint8_t *bytes, uint32_t number, uint32_t length)
{
    memset(bytes, (int)(number & 0xff), length);
    memcpy(bytes, &number, length < 4 ? length : 4);
}

void ends_stage(struct weir_link *link, uint64_t tag, uint32_t number, uint32_t length)
{
    struct weir_frame frame;

    assert_int_equal(link->ops->begin(link, length, 0, &frame), 0);
    assert_int_equal(frame.length, length);
    assert_true(frame.headroom >= 64);
    ends_fill(frame.data, number, length);
    frame.tag = tag;
    link->ops->commit(link, &frame, 0);
}

int ends_receive(struct weir_link *link, struct weir_frame *frames, int max)
{
    struct pollfd entry = {.fd = link->ops->fd(link), .events = POLLIN};
    int count = link->ops->receive(link, frames, max, 0);

    if (count > 0)
        return count;
    assert_int_equal(poll(&entry, 1, ENDS_PATIENCE_MS), 1);
    return link->ops->receive(link, frames, max, 0);
}
