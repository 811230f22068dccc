/* SPDX-License-Identifier: MIT */

/* The channels of the network over weir: ports, and a naive list beside the table of connections. */

#include "net_weir_channels.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONNECTIONS 5000u

static struct channels channels;
static struct channel some[CONNECTIONS];

static int clear(void **state)
{
    (void)state;
    memset(&channels, 0, sizeof(channels));
    memset(some, 0, sizeof(some));
    channels.salt = 0x12345678;
    return 0;
}

static void ports(void **state)
{
    (void)state;
    assert_null(channels_owner(&channels, htons(80)));
    assert_int_equal(channels_bind(&channels, &some[0], 80), 0);
    assert_int_equal(some[0].port, htons(80));
    assert_ptr_equal(channels_owner(&channels, htons(80)), &some[0]);
    assert_int_equal(channels_bind(&channels, &some[1], 80), EADDRINUSE);
    assert_int_equal(channels_bind(&channels, &some[1], 65535), 0);
    channels_remove(&channels, &some[0]);
    assert_null(channels_owner(&channels, htons(80)));
    assert_int_equal(channels_bind(&channels, &some[2], 80), 0);
    channels_remove(&channels, &some[0]); /* owns nothing any more */
    assert_ptr_equal(channels_owner(&channels, htons(80)), &some[2]);
}

/* From where the random number says, upwards, past those that are taken, round the end. */
static void free_ports(void **state)
{
    (void)state;
    channels.next_port = 16384u * 7 + 16382;
    assert_int_equal(channels_bind(&channels, &some[0], 65535), 0);
    assert_int_equal(channels_bind(&channels, &some[1], 0), 0);
    assert_int_equal(ntohs(some[1].port), 65534);
    assert_int_equal(channels_bind(&channels, &some[2], 0), 0);
    assert_int_equal(ntohs(some[2].port), 49152);
    channels.next_port = UINT32_MAX; /* 2^32 is a multiple of how many there are */
    assert_int_equal(channels_bind(&channels, &some[3], 0), 0);
    assert_int_equal(ntohs(some[3].port), 49153);
}

static struct flow flow_of(const struct channel *channel)
{
    return (struct flow){channel->address, channel->peer_address, channel->port,
                         channel->peer_port};
}

/* Few values of each field, so that flows differ in one of them only. */
static struct flow random_flow(unsigned *seed)
{
    return (struct flow){
        htonl(10u + (unsigned)rand_r(seed) % 2), htonl(20u + (unsigned)rand_r(seed) % 12),
        htons((uint16_t)(80 + rand_r(seed) % 12)), htons((uint16_t)(5000 + rand_r(seed) % 12))};
}

static struct channel *find_slowly(const struct flow *flow)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct flow other = flow_of(&some[i]);

        if (some[i].is_connected && memcmp(&other, flow, sizeof(other)) == 0)
            return &some[i];
    }
    return NULL;
}

static void connections(void **state)
{
    unsigned seed = 1, found = 0, missed = 0;

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        struct channel *channel = &some[(unsigned)rand_r(&seed) % CONNECTIONS];
        struct flow flow = random_flow(&seed);
        struct channel *same = channels_find(&channels, &flow);

        assert_ptr_equal(same, find_slowly(&flow));
        found += same != NULL;
        missed += same == NULL;
        if (channel->is_connected) {
            channels_remove(&channels, channel);
            assert_false(channel->is_connected);
        } else if (!same) {
            channel->address = flow.address;
            channel->peer_address = flow.peer_address;
            channel->port = flow.port;
            channel->peer_port = flow.peer_port;
            channels_connect(&channels, channel);
        }
    }
    assert_true(found > 1000 && missed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports, clear),
        cmocka_unit_test_setup(free_ports, clear),
        cmocka_unit_test_setup(connections, clear),
    };

    return cmocka_run_group_tests_name("net_weir_channels", tests, NULL, NULL);
}
