/* SPDX-License-Identifier: MIT */

/* The calls of stcp_api.h, as a transport sees them. The transport of this program is a function of each
 * test, run by the thread that glue.c makes; what it finds wrong is told by CHECK, since only the
 * main thread may end a test. A barrier tells either side that the other has come so far. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <stcp/net_memory.h>
#include <stcp/mysock_impl.h>
#include <stcp/stcp_api.h>
#include <stcp/transport.h>

static void (*script)(mysocket_t sd);
static pthread_barrier_t barrier;
static int wrong_line;
static const struct timespec past;

#define CHECK(condition)                 \
    do {                                 \
        if (!(condition) && !wrong_line) \
            wrong_line = __LINE__;       \
    } while (0)

void our_dprintf(const char *format, ...)
{
    (void)format;
}

void transport_init(mysocket_t sd, bool_t is_active)
{
    CHECK(is_active);
    script(sd);
}

static void meet(void)
{
    pthread_barrier_wait(&barrier);
}

static void establish(mysocket_t sd)
{
    errno = 0;
    stcp_unblock_application(sd);
}

/* A socket whose transport is `run`; the result of myconnect. */
static int begin(void (*run)(mysocket_t), mysocket_t *sd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(7)};

    script = run;
    wrong_line = 0;
    *sd = mysocket();
    return myconnect(*sd, (struct sockaddr *)&addr, sizeof(addr));
}

static void end(mysocket_t sd)
{
    assert_int_equal(myclose(sd), 0);
    if (wrong_line)
        fail_msg("the transport's check in line %d", wrong_line);
}

static void deliver(mysocket_t sd, const void *segment, size_t length)
{
    struct mysock *sock = table_get(sd);

    assert_true(mysock_deliver(sock, segment, length));
    table_release(sock);
}

static void take_app_data(mysocket_t sd)
{
    char data[10];

    establish(sd);
    meet();
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == APP_DATA);
    CHECK(stcp_wait_for_event(sd, APP_DATA, &past) == APP_DATA);
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == TIMEOUT);
    CHECK(stcp_app_recv(sd, data, 2) == 2 && memcmp(data, "ab", 2) == 0);
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == APP_DATA);
    CHECK(stcp_app_recv(sd, data, sizeof(data)) == 1 && data[0] == 'c'); /* pieces stay apart */
    CHECK(stcp_app_recv(sd, data, sizeof(data)) == 2 && memcmp(data, "de", 2) == 0);
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == APP_DATA);
    CHECK(stcp_app_recv(sd, data, sizeof(data)) == 0); /* an empty write */
    meet();
    CHECK(stcp_wait_for_event(sd, 0, NULL) == APP_CLOSE_REQUESTED);
}

static void app_data(void **state)
{
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(take_app_data, &sd), 0);
    assert_int_equal(mywrite(sd, "abc", 3), 3);
    assert_int_equal(mywrite(sd, "de", 2), 2);
    assert_int_equal(mywrite(sd, "", 0), 0);
    meet();
    meet();
    end(sd);
}

/* The close is told once, whatever is waited for, and not before the last byte was fetched. */
static void take_close(mysocket_t sd)
{
    struct mysock *sock = table_get(sd);
    char byte;

    establish(sd);
    meet();
    pthread_mutex_lock(&sock->lock);
    while (!sock->has_close)
        pthread_cond_wait(&sock->changed, &sock->lock);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == TIMEOUT);
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == APP_DATA);
    CHECK(stcp_app_recv(sd, &byte, 1) == 1);
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, NULL) == APP_CLOSE_REQUESTED);
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, &past) == TIMEOUT);
}

static void closing(void **state)
{
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(take_close, &sd), 0);
    assert_int_equal(mywrite(sd, "x", 1), 1);
    meet();
    end(sd);
}

static void take_segments(mysocket_t sd)
{
    unsigned char data[SEGMENT_MAX];

    establish(sd);
    meet();
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == NETWORK_DATA);
    CHECK(stcp_wait_for_event(sd, APP_DATA, &past) == TIMEOUT);
    memset(data, 0, sizeof(data));
    CHECK(stcp_network_recv(sd, data, 10) == 30); /* the whole length, but no byte too much */
    CHECK(data[9] == 1 && data[10] == 0);
    CHECK(stcp_network_recv(sd, data, sizeof(data)) == 40 && data[39] == 2);
    /* The peer is lost: told once as an event, and as often as is asked. */
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, NULL) == NETWORK_DATA);
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == NETWORK_DATA);
    CHECK(stcp_network_recv(sd, data, sizeof(data)) == 0);
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == TIMEOUT);
    CHECK(stcp_network_recv(sd, data, sizeof(data)) == 0);
    meet(); /* the close would be told, too */
}

static void network_data(void **state)
{
    unsigned char segment[40];
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(take_segments, &sd), 0);
    memset(segment, 1, sizeof(segment));
    deliver(sd, segment, 30);
    memset(segment, 2, sizeof(segment));
    deliver(sd, segment, 40);
    deliver(sd, NULL, 0);
    deliver(sd, segment, 40); /* nothing comes behind the end */
    meet();
    meet();
    end(sd);
}

static void send_parts(mysocket_t sd)
{
    static const STCPHeader header;
    size_t half_an_int =
        (size_t)0xdead << 32 | 2; /* what an int may look like among the arguments */

    establish(sd);
    CHECK(stcp_network_send(sd, &header, sizeof(header), NULL) == 20);
    CHECK(stcp_network_send(sd, &header, sizeof(header), "abc", (size_t)3, "", (size_t)0, "de",
                            half_an_int, NULL) == 25);
}

static void segments_in_parts(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(7)};
    mysocket_t listener = mysocket(), sd;

    (void)state;
    assert_int_equal(mybind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(mylisten(listener, 1), 0);
    assert_int_equal(begin(send_parts, &sd), 0);
    end(sd);
    assert_int_equal(myclose(listener), 0);
}

static void wait_with_times(mysocket_t sd)
{
    struct timespec time = {0, 2000000000};

    CHECK(stcp_wait_for_event(sd, ANY_EVENT, &past) == TIMEOUT);
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, &time) == TIMEOUT); /* more than a second of them */
    time.tv_sec = 5;
    time.tv_nsec = -1;
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, &time) == TIMEOUT);
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 1500000; /* which may pass the second */
    CHECK(stcp_wait_for_event(sd, ANY_EVENT, &time) == TIMEOUT);
    CHECK(stcp_get_context(sd) == NULL);
    stcp_set_context(sd, &barrier);
    CHECK(stcp_get_context(sd) == &barrier);
    establish(sd);
}

static void times(void **state)
{
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(wait_with_times, &sd), 0);
    end(sd);
}

static void hand_up(mysocket_t sd)
{
    establish(sd);
    stcp_app_send(sd, "abc", 3);
    stcp_app_send(sd, "", 0);
    stcp_app_send(sd, "def", 3);
    stcp_fin_received(sd);
    stcp_app_send(sd, "too late", 8);
    meet();
    CHECK(stcp_wait_for_event(sd, 0, NULL) == APP_CLOSE_REQUESTED);
}

static void bytes_for_the_application(void **state)
{
    char data[20];
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(hand_up, &sd), 0);
    meet();
    assert_int_equal(myread(sd, data, 4), 4);
    assert_memory_equal(data, "abcd", 4);
    assert_int_equal(myread(sd, data, sizeof(data)), 2);
    assert_memory_equal(data, "ef", 2);
    assert_int_equal(myread(sd, data, sizeof(data)), 0);
    assert_int_equal(myread(sd, data, sizeof(data)), 0);
    end(sd);
}

/* What a transport forgets is done for it. */
static void forget_all(mysocket_t sd)
{
    (void)sd;
    errno = 0;
}

static void forget_with_errno(mysocket_t sd)
{
    (void)sd;
    errno = ENETDOWN;
}

static void fail_it(mysocket_t sd)
{
    errno = ETIMEDOUT;
    stcp_unblock_application(sd);
}

static void interrupted(mysocket_t sd)
{
    errno = EINTR;
    stcp_unblock_application(sd);
    meet();
}

static void outcomes(void **state)
{
    static const struct {
        void (*run)(mysocket_t);
        int error;
    } rows[] = {{forget_all, ECONNREFUSED}, {forget_with_errno, ENETDOWN}, {fail_it, ETIMEDOUT}};
    mysocket_t sd;
    size_t i;
    char byte;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(begin(rows[i].run, &sd), -1);
        assert_int_equal(errno, rows[i].error);
        end(sd);
    }
    assert_int_equal(begin(interrupted, &sd), 0);
    meet();
    assert_int_equal(myread(sd, &byte, 1), 0); /* the end is told for it, too */
    end(sd);
}

static void wait_for_close(mysocket_t sd)
{
    establish(sd);
    CHECK(stcp_wait_for_event(sd, 0, NULL) == APP_CLOSE_REQUESTED);
}

/* A queue that is full takes nothing, and says so; what is unread is bounded as well. */
static void a_full_queue(void **state)
{
    unsigned char segment[SEGMENT_MIN] = {0};
    struct mysock *sock;
    mysocket_t sd;
    int i;

    (void)state;
    assert_int_equal(begin(wait_for_close, &sd), 0);
    sock = table_get(sd);
    for (i = 0; i < FROM_NETWORK_MAX; i++)
        assert_true(mysock_deliver(sock, segment, sizeof(segment)));
    assert_false(mysock_deliver(sock, segment, sizeof(segment)));
    assert_true(mysock_deliver(sock, NULL, 0)); /* the end finds room */
    table_release(sock);
    end(sd);
}

static void flood(mysocket_t sd)
{
    static char much[1024 * 1024];
    int i;

    establish(sd);
    meet();
    for (i = 0; i < TO_APP_MAX / (int)sizeof(much); i++) {
        CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == NETWORK_DATA);
        stcp_app_send(sd, much, sizeof(much));
    }
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, &past) == TIMEOUT);
    meet();
    CHECK(stcp_wait_for_event(sd, NETWORK_DATA, NULL) == NETWORK_DATA); /* it has read */
    meet();
    CHECK(stcp_wait_for_event(sd, 0, NULL) == APP_CLOSE_REQUESTED);
}

static void an_application_that_does_not_read(void **state)
{
    unsigned char segment[SEGMENT_MIN] = {0};
    mysocket_t sd;

    (void)state;
    assert_int_equal(begin(flood, &sd), 0);
    deliver(sd, segment, sizeof(segment));
    meet();
    meet();
    assert_int_equal(myread(sd, segment, 1), 1);
    meet();
    end(sd);
}

static int set_up(void **state)
{
    (void)state;
    return pthread_barrier_init(&barrier, NULL, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(app_data),
        cmocka_unit_test(closing),
        cmocka_unit_test(network_data),
        cmocka_unit_test(segments_in_parts),
        cmocka_unit_test(times),
        cmocka_unit_test(bytes_for_the_application),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(a_full_queue),
        cmocka_unit_test(an_application_that_does_not_read),
    };

    mysock_network = &network_memory;
    return cmocka_run_group_tests(tests, set_up, NULL);
}
