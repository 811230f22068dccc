/* SPDX-License-Identifier: MIT */

/* Messages become frames: runs that the system left uncut, sizes that make no sense, more frames than
 * there is room for, errors that the socket holds. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <link/udp.h>
#include <netinet/udp.h>
#include <string.h>
#include <tests/unit/link/udp_ends.h>
#include <unistd.h>

/* A message that the system is to have. */
struct message {
    uint32_t length;
    int size;  /* said to be the size of its datagrams; 0: nothing is said */
    int type;  /* of the control message; 0: UDP_GRO */
    int bytes; /* of the control message's value; 0: an int */
};

static struct {
    const struct message *messages;
    int count;
    int errors; /* reported first */
    int error;
    unsigned calls;
} system_;

static uint8_t byte_at(uint32_t message, uint32_t offset)
{
    return (uint8_t)(message * 31 + offset);
}

static void say_size(struct msghdr *header, const struct message *message)
{
    size_t bytes = message->bytes ? (size_t)message->bytes : sizeof(message->size);
    struct cmsghdr *head = CMSG_FIRSTHDR(header);

    assert_true(header->msg_controllen >= CMSG_SPACE(sizeof(int)));
    if (!message->size) {
        header->msg_controllen = 0;
        return;
    }
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = message->type ? message->type : UDP_GRO;
    head->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(head), &message->size, bytes);
    header->msg_controllen = CMSG_SPACE(bytes);
}

/* Stands in for the system's: gives each message once. */
int recvmmsg(int fd, struct mmsghdr *headers, unsigned max, int flags, struct timespec *timeout)
{
    unsigned done = 0;

    (void)fd;
    (void)timeout;
    assert_true(flags & MSG_DONTWAIT);
    system_.calls++;
    if (system_.errors > 0) {
        system_.errors--;
        errno = system_.error;
        return -1;
    }
    for (; done < max && system_.count > 0; done++, system_.count--) {
        const struct message *message = system_.messages++;
        struct sockaddr_in *peer = headers[done].msg_hdr.msg_name;
        uint8_t *bytes = headers[done].msg_hdr.msg_iov[0].iov_base;

        assert_true(headers[done].msg_hdr.msg_iov[0].iov_len >= message->length);
        assert_int_equal(headers[done].msg_hdr.msg_namelen, sizeof(*peer));
        peer->sin_addr.s_addr = htonl(ENDS_LOCALHOST);
        peer->sin_port = htons(4000);
        headers[done].msg_hdr.msg_namelen = 16;
        for (uint32_t offset = 0; offset < message->length; offset++)
            bytes[offset] = byte_at(message->length, offset);
        headers[done].msg_len = message->length;
        say_size(&headers[done].msg_hdr, message);
    }
    if (done == 0)
        errno = EAGAIN;
    return done > 0 ? (int)done : -1;
}

static void have(const struct message *messages, int count)
{
    memset(&system_, 0, sizeof(system_));
    system_.messages = messages;
    system_.count = count;
}

/* The pieces of the messages in order, taken `max` at a time; checks that each is whole and that a
 * call which returns fewer than `max` left nothing. */
static void check_pieces(const struct message *messages, int count, int max)
{
    static struct udp_receiver in;
    struct weir_frame frames[256];
    uint32_t offset = 0;
    int at = 0, got = 0, index = 0;

    assert_true(udp_receiver_init(&in, -1));
    have(messages, count);
    while (at < count) {
        int size = messages[at].size > 0 && !messages[at].type && !messages[at].bytes
                       ? messages[at].size
                       : (int)messages[at].length;
        uint32_t left = messages[at].length - offset;
        uint32_t piece = left < (uint32_t)size ? left : (uint32_t)size;

        if (index == got) {
            assert_true(at == 0 || got == max || system_.count > 0 || offset == 0);
            got = udp_receiver_take(&in, frames, max);
            assert_true(got > 0 && got <= max);
            index = 0;
        }
        assert_int_equal(frames[index].length, piece);
        assert_true(frames[index].tag == weir_udp_tag(ENDS_LOCALHOST, 4000));
        assert_int_equal(frames[index].headroom, offset ? 0 : UDP_HEADROOM);
        for (uint32_t byte = 0; byte < piece; byte++)
            assert_int_equal(frames[index].data[byte], byte_at(messages[at].length, offset + byte));
        index++;
        offset += piece;
        if (offset == messages[at].length) {
            offset = 0;
            at++;
        }
    }
    assert_int_equal(index, got);
    assert_int_equal(udp_receiver_take(&in, frames, max), 0);
    udp_receiver_done(&in);
}

static void test_messages_become_frames(void **state)
{
    static const struct message messages[] = {
        {.length = 1400},
        {.length = 1400, .size = 1400}, /* said, but one */
        {.length = 4200, .size = 1400},
        {.length = 4201, .size = 1400}, /* a last one of a byte */
        {.length = 0},                  /* an empty datagram is a frame */
        {.length = 0, .size = 40},
        {.length = 65507, .size = 1}, /* as many as can be */
        {.length = 100, .size = 101}, /* more than there is */
        {.length = 100, .size = -1},
        {.length = 100, .size = 10, .type = UDP_SEGMENT}, /* something else is said */
        {.length = 100, .size = 10, .bytes = 2},          /* cut off */
        {.length = 65507},
        {.length = 64400, .size = 1400},
    };

    (void)state;
    for (int max = 1; max <= 256; max += max < 5 ? 1 : 51)
        check_pieces(messages, (int)(sizeof(messages) / sizeof(messages[0])), max);
}

/* Fewer than `max` means that nothing is held: the next call asks the system. */
static void test_fewer_than_max_leaves_nothing(void **state)
{
    static const struct message messages[] = {{.length = 100, .size = 10}, {.length = 7}};
    static struct udp_receiver in;
    struct weir_frame frames[16];

    (void)state;
    assert_true(udp_receiver_init(&in, -1));
    have(messages, 2);
    assert_int_equal(udp_receiver_take(&in, frames, 0), 0);
    assert_int_equal(system_.calls, 0);
    assert_int_equal(udp_receiver_take(&in, frames, 4), 4);
    assert_int_equal(udp_receiver_take(&in, frames, 4), 4);
    assert_int_equal(system_.calls, 1);
    assert_int_equal(udp_receiver_take(&in, frames, 4), 3); /* two, and the other message */
    assert_int_equal(frames[2].length, 7);
    assert_int_equal(system_.calls, 1);
    assert_int_equal(udp_receiver_take(&in, frames, 4), 0);
    assert_int_equal(system_.calls, 2);
    assert_int_equal(in.received, 11);
    assert_int_equal(in.runs_received, 1);
    udp_receiver_done(&in);
}

/* The socket's errors are taken off and counted, a bounded number a call. */
static void test_errors_are_swallowed(void **state)
{
    static const struct message messages[] = {{.length = 20}};
    static struct udp_receiver in;
    struct weir_frame frame;

    (void)state;
    assert_true(udp_receiver_init(&in, -1));
    have(messages, 1);
    system_.errors = 5;
    system_.error = ECONNREFUSED;
    assert_int_equal(udp_receiver_take(&in, &frame, 1), 1);
    assert_int_equal(in.errors, 5);
    have(messages, 1);
    system_.errors = 1000;
    system_.error = ECONNREFUSED;
    assert_int_equal(udp_receiver_take(&in, &frame, 1), 0);
    assert_int_equal(system_.calls, 16);
    have(messages, 1);
    system_.errors = 3;
    system_.error = EINTR; /* no error of anybody's */
    assert_int_equal(udp_receiver_take(&in, &frame, 1), 1);
    assert_int_equal(in.errors, 21);
    udp_receiver_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_become_frames),
        cmocka_unit_test(test_fewer_than_max_leaves_nothing),
        cmocka_unit_test(test_errors_are_swallowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
