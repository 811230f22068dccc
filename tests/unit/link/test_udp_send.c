/* SPDX-License-Identifier: MIT */

/* What leaves by one system call: runs against a model of their rule, what a plain socket gets of
 * them, and systems that refuse to cut, refuse to send, or are full. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <base/random.h>
#include <errno.h>
#include <limits.h>
#include <link/udp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <tests/unit/link/udp_ends.h>
#include <unistd.h>

#define MTU 1400u
#define LOG_MAX 4096
#define PORTS 3
#define A 0x7f0000011111
#define B 0x7f0000012222
#define C 0x7f0000021111

/* A message that the link handed to the system. */
struct message {
    uint64_t tag;
    uint32_t count, cut;  /* datagrams, and the size it asked to be cut to; 0: not at all */
    uint32_t first, last; /* lengths */
    uint32_t number;      /* that its first datagram begins with */
};

static struct {
    struct message log[LOG_MAX];
    int logged;
    int allowance;    /* messages that the system still takes */
    int cut_error;    /* to any message that is to be cut; 0: none */
    uint64_t bad_tag; /* to whom nothing can be sent … */
    int bad_error;    /* … for this reason */
    unsigned calls;
    bool is_silent; /* nothing is really sent */
} system_;

static uint32_t cut_of(struct msghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    uint16_t size;

    if (!head)
        return 0;
    assert_int_equal(head->cmsg_level, SOL_UDP);
    assert_int_equal(head->cmsg_type, UDP_SEGMENT);
    assert_int_equal(head->cmsg_len, CMSG_LEN(sizeof(size)));
    memcpy(&size, CMSG_DATA(head), sizeof(size));
    return size;
}

static void note(struct msghdr *header)
{
    const struct sockaddr_in *peer = header->msg_name;
    struct message *message = &system_.log[system_.logged++];
    size_t last = header->msg_iovlen - 1;

    assert_true(system_.logged < LOG_MAX);
    *message = (struct message){
        .tag = weir_udp_tag(ntohl(peer->sin_addr.s_addr), ntohs(peer->sin_port)),
        .count = (uint32_t)header->msg_iovlen,
        .cut = cut_of(header),
        .first = (uint32_t)header->msg_iov[0].iov_len,
        .last = (uint32_t)header->msg_iov[last].iov_len,
    };
    if (message->first >= 4)
        memcpy(&message->number, header->msg_iov[0].iov_base, 4);
}

static int refusal(struct msghdr *header)
{
    const struct sockaddr_in *peer = header->msg_name;

    if (system_.allowance == 0)
        return EAGAIN;
    if (system_.cut_error && cut_of(header))
        return system_.cut_error;
    if (weir_udp_tag(ntohl(peer->sin_addr.s_addr), ntohs(peer->sin_port)) == system_.bad_tag)
        return system_.bad_error;
    return 0;
}

/* Stands in for the system's. */
int sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    unsigned done = 0;
    int error = 0;

    system_.calls++;
    while (done < count && (error = refusal(&headers[done].msg_hdr)) == 0) {
        if (!system_.is_silent && sendmsg(fd, &headers[done].msg_hdr, flags) < 0)
            error = errno;
        if (error)
            break;
        note(&headers[done].msg_hdr);
        done++;
        system_.allowance--;
    }
    if (done > 0 || count == 0)
        return (int)done;
    errno = error;
    return -1;
}

static int setup(void **state)
{
    (void)state;
    memset(&system_, 0, sizeof(system_));
    system_.allowance = INT_MAX;
    return 0;
}

/* ---- The rule ------------------------------------------------------------------------------------- */

struct packet {
    uint64_t tag;
    uint32_t length, number;
};

/* The rule said once more, a packet at a time: does it still belong to the run of `first`? */
static bool belongs(const struct packet *packets, int first, int next)
{
    uint32_t bytes = 0;

    for (int index = first; index <= next; index++) {
        bytes += packets[index].length;
        if (packets[index].tag != packets[first].tag || packets[index].length == 0)
            return index == first && next == first;
        if (packets[index].length > packets[first].length)
            return false;
        if (index < next && packets[index].length != packets[first].length)
            return false;
    }
    return bytes <= 65507;
}

/* The packets together by peers, said once more: all of the first one's, then of those left. */
static void together(const struct packet *packets, int count, struct packet *sorted)
{
    bool is_taken[UDP_BATCH] = {false};
    int place = 0;

    for (int first = 0; first < count; first++) {
        for (int index = first; index < count; index++) {
            if (is_taken[index] || packets[index].tag != packets[first].tag)
                continue;
            sorted[place] = packets[index];
            sorted[place++].number = (uint32_t)index;
            is_taken[index] = true;
        }
    }
    assert_int_equal(place, count);
}

static void check_log(const struct packet *staged, int count)
{
    struct packet packets[UDP_BATCH];
    int first = 0, message = 0;

    together(staged, count, packets);

    while (first < count) {
        const struct message *got = &system_.log[message];
        int next = first + 1;

        while (next < count && belongs(packets, first, next))
            next++;
        assert_true(message < system_.logged);
        assert_int_equal(got->count, next - first);
        assert_true(got->tag == packets[first].tag);
        assert_int_equal(got->first, packets[first].length);
        assert_int_equal(got->last, packets[next - 1].length);
        assert_int_equal(got->cut, next - first > 1 ? packets[first].length : 0);
        if (got->first >= 4)
            assert_int_equal(got->number, packets[first].number);
        first = next;
        message++;
    }
    assert_int_equal(message, system_.logged);
}

static void send_packets(struct weir_link *link, const struct packet *packets, int count)
{
    system_.logged = 0;
    for (int index = 0; index < count; index++)
        ends_stage(link, packets[index].tag, (uint32_t)index, packets[index].length);
    assert_int_equal(link->ops->flush(link, 0), 0);
}

static void test_runs_follow_their_rule(void **state)
{
    static const struct {
        const char *what;
        struct packet packets[8];
        int messages;
    } cases[] = {
        {"one", {{A, 100, 0}}, 1},
        {"equal ones", {{A, 100, 0}, {A, 100, 0}, {A, 100, 0}}, 1},
        {"the last is shorter", {{A, 100, 0}, {A, 100, 0}, {A, 1, 0}}, 1},
        {"a shorter one ends it", {{A, 100, 0}, {A, 50, 0}, {A, 50, 0}, {A, 50, 0}}, 2},
        {"a longer one ends it", {{A, 50, 0}, {A, 50, 0}, {A, 100, 0}}, 2},
        {"another port", {{A, 50, 0}, {B, 50, 0}, {A, 50, 0}}, 2},
        {"three in turns",
         {{A, 9, 0}, {B, 9, 0}, {C, 9, 0}, {A, 9, 0}, {B, 9, 0}, {C, 9, 0}, {A, 9, 0}},
         3},
        {"another address", {{A, 50, 0}, {C, 50, 0}, {C, 50, 0}}, 2},
        {"an empty one is alone", {{A, 50, 0}, {A, 0, 0}, {A, 0, 0}, {A, 50, 0}}, 4},
        {"bytes of all kinds", {{A, 1, 0}, {A, 1, 0}, {B, 1, 0}, {B, 1, 0}, {B, 2, 0}}, 3},
    };
    struct weir_link *link;
    uint64_t tag;

    (void)state;
    link = ends_open_link(MTU, &tag);
    system_.is_silent = true;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        int count = 0;

        while (count < 8 && cases[index].packets[count].tag)
            count++;
        send_packets(link, cases[index].packets, count);
        print_message("%s\n", cases[index].what);
        check_log(cases[index].packets, count);
        assert_int_equal(system_.logged, cases[index].messages);
    }
    link->ops->destroy(link);
}

static void test_runs_as_the_model_has_them(void **state)
{
    static const uint32_t lengths[] = {0, 1, 40, 40, 40, 1399, 1400, 1400, 1400, 1400};
    struct weir_udp_counts counts;
    struct packet packets[UDP_BATCH];
    struct random random;
    struct weir_link *link;
    uint64_t tag, seed = 0x5eed17, sent = 0;

    (void)state;
    print_message("seed %llx\n", (unsigned long long)seed);
    random_init_u64(&random, seed, 0);
    link = ends_open_link(MTU, &tag);
    system_.is_silent = true;
    for (int round = 0; round < 2000; round++) {
        int count = 1 + (int)random_below(&random, UDP_BATCH);
        uint32_t variety = 1 + random_below(&random, 10), mixing = 1 + random_below(&random, 9);

        for (int index = 0; index < count; index++) {
            packets[index].tag =
                weir_udp_tag(ENDS_LOCALHOST, 1000) +
                (random_below(&random, mixing) == 0 ? random_below(&random, 3) : 0);
            packets[index].length = lengths[9 - random_below(&random, variety)];
        }
        send_packets(link, packets, count);
        check_log(packets, count);
        sent += (uint64_t)count;
    }
    weir_udp_counts(link, &counts);
    assert_int_equal(counts.sent, sent);
    assert_int_equal(counts.failed, 0);
    link->ops->destroy(link);
}

/* 64 packets of 1400 bytes are more than one run of 65,507 bytes holds. */
static void test_run_within_its_bytes(void **state)
{
    struct packet packets[UDP_BATCH];
    struct weir_link *link;
    uint64_t tag;

    (void)state;
    link = ends_open_link(MTU, &tag);
    system_.is_silent = true;
    for (int index = 0; index < UDP_BATCH; index++)
        packets[index] = (struct packet){.tag = tag, .length = MTU};
    send_packets(link, packets, UDP_BATCH);
    check_log(packets, UDP_BATCH);
    assert_int_equal(system_.logged, 2);
    assert_int_equal(system_.log[0].count, 46);
    assert_int_equal(system_.calls, 1);
    link->ops->destroy(link);
}

/* ---- What arrives ---------------------------------------------------------------------------------- */

/* A program that knows nothing of all this gets one packet a datagram. */
static void check_datagrams(int fd, const struct packet *packets, int count, uint64_t tag)
{
    uint8_t got[2048], expected[2048];

    for (int index = 0; index < count; index++) {
        if (packets[index].tag != tag)
            continue;
        assert_int_equal(ends_read(fd, got, sizeof(got)), packets[index].length);
        ends_fill(expected, (uint32_t)index, packets[index].length);
        assert_memory_equal(got, expected, packets[index].length);
    }
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
}

/* Packets to three sockets, in pieces of runs. */
static int mix(struct packet *packets, const uint64_t *tags)
{
    int count = 0;

    for (int round = 0; round < 6; round++) {
        for (int index = 0; index < 9; index++)
            packets[count++] =
                (struct packet){.tag = tags[round % PORTS], .length = index < 8 ? MTU : 700};
    }
    return count;
}

static void test_plain_sockets_get_datagrams(void **state)
{
    struct packet packets[UDP_BATCH];
    struct weir_udp_counts counts;
    uint64_t tags[PORTS], tag;
    struct weir_link *link;
    int fds[PORTS], count;

    (void)state;
    link = ends_open_link(MTU, &tag);
    for (int index = 0; index < PORTS; index++)
        fds[index] = ends_open_socket(&tags[index]);
    count = mix(packets, tags);
    send_packets(link, packets, count);
    for (int index = 0; index < PORTS; index++) {
        check_datagrams(fds[index], packets, count, tags[index]);
        close(fds[index]);
    }
    weir_udp_counts(link, &counts);
    assert_int_equal(counts.sent, count);
    if (counts.runs_refused == 0 && counts.runs_sent > 0)
        assert_int_equal(counts.runs_sent, 6); /* two a peer: the shorter one ends the first */
    link->ops->destroy(link);
}

/* ---- Trouble ---------------------------------------------------------------------------------------- */

/* Refused once, a run leaves one by one, and so does what comes after. */
static void test_system_that_cannot_cut(void **state)
{
    static const int errors[] = {EINVAL, EMSGSIZE, EIO, EOPNOTSUPP};

    (void)state;
    for (size_t which = 0; which < sizeof(errors) / sizeof(errors[0]); which++) {
        struct packet packets[UDP_BATCH];
        struct weir_udp_counts counts;
        uint64_t tags[PORTS], tag;
        struct weir_link *link;
        int fds[PORTS], count;

        setup(NULL);
        link = ends_open_link(MTU, &tag);
        system_.cut_error = errors[which];
        for (int index = 0; index < PORTS; index++)
            fds[index] = ends_open_socket(&tags[index]);
        count = mix(packets, tags);
        for (int again = 0; again < 2; again++) {
            send_packets(link, packets, count);
            for (int index = 0; index < PORTS; index++)
                check_datagrams(fds[index], packets, count, tags[index]);
        }
        weir_udp_counts(link, &counts);
        assert_int_equal(counts.sent, 2 * count);
        assert_int_equal(counts.failed, 0);
        assert_int_equal(counts.runs_sent, 0);
        assert_int_equal(counts.runs_refused, 1);
        for (int index = 0; index < PORTS; index++)
            close(fds[index]);
        link->ops->destroy(link);
    }
}

/* Nothing can be sent to one of the peers: its runs are lost whole, and counted; the rest goes on. */
static void test_peer_that_is_refused(void **state)
{
    struct packet packets[UDP_BATCH];
    struct weir_udp_counts counts;
    uint64_t tags[PORTS], tag;
    struct weir_link *link;
    int fds[PORTS], count;

    (void)state;
    link = ends_open_link(MTU, &tag);
    for (int index = 0; index < PORTS; index++)
        fds[index] = ends_open_socket(&tags[index]);
    system_.bad_tag = tags[1];
    system_.bad_error = EPERM;
    count = mix(packets, tags);
    send_packets(link, packets, count);
    assert_false(link->wants_write);
    check_datagrams(fds[0], packets, count, tags[0]);
    check_datagrams(fds[1], packets, 0, tags[1]);
    check_datagrams(fds[2], packets, count, tags[2]);
    weir_udp_counts(link, &counts);
    assert_int_equal(counts.failed, count / PORTS);
    assert_int_equal(counts.sent, count - count / PORTS);
    assert_int_equal(counts.runs_refused, 0);
    for (int index = 0; index < PORTS; index++)
        close(fds[index]);
    link->ops->destroy(link);
}

/* The socket takes a few messages at a time: nothing is lost, doubled or out of order. */
static void test_full_socket_between_runs(void **state)
{
    struct packet packets[UDP_BATCH];
    struct weir_udp_counts counts;
    uint64_t tags[PORTS], tag;
    struct weir_link *link;
    int fds[PORTS], count;

    (void)state;
    for (int step = 1; step <= 5; step++) {
        setup(NULL);
        link = ends_open_link(MTU, &tag);
        for (int index = 0; index < PORTS; index++)
            fds[index] = ends_open_socket(&tags[index]);
        count = mix(packets, tags);
        system_.allowance = step;
        send_packets(link, packets, count);
        while (link->wants_write) {
            assert_int_equal(system_.allowance, 0);
            system_.allowance = step;
            assert_int_equal(link->ops->flush(link, 0), 0);
        }
        for (int index = 0; index < PORTS; index++) {
            check_datagrams(fds[index], packets, count, tags[index]);
            close(fds[index]);
        }
        weir_udp_counts(link, &counts);
        assert_int_equal(counts.sent, count);
        link->ops->destroy(link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_runs_follow_their_rule, setup),
        cmocka_unit_test_setup(test_runs_as_the_model_has_them, setup),
        cmocka_unit_test_setup(test_run_within_its_bytes, setup),
        cmocka_unit_test_setup(test_plain_sockets_get_datagrams, setup),
        cmocka_unit_test_setup(test_system_that_cannot_cut, setup),
        cmocka_unit_test_setup(test_peer_that_is_refused, setup),
        cmocka_unit_test_setup(test_full_socket_between_runs, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
