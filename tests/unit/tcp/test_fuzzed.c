/* SPDX-License-Identifier: MIT */

/* What the fuzz targets found, told as conversations. */

#include <talk/talk.h>

/* A RST after a FIN flushes what was not read: there is nothing to read then, not 2^32 - 1 bytes. */
static void a_reset_after_the_fin_leaves_nothing(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    uint8_t byte;

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1 win 65535");
    talk_in(t, "F. 101:101(0) ack 1 win 65535");
    talk_in(t, "R 102:102(0)");
    assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), WEIR_ECONNRESET);
    assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), 0);
    talk_destroy(t);
}

/* A RST that waits for a full link belongs to a connection that has given up what was out: the
 * invariants of sending are over then. */
static void a_reset_may_wait_for_the_link(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    struct weir_link *link = weir_hub_port(t->hub, 0);
    struct weir_frame frame;

    (void)state;
    assert_int_equal(talk_write(t, s, 1000), 1000);
    while (link->ops->begin(link, 100, t->now, &frame) == 0)
        link->ops->commit(link, &frame, t->now);
    assert_int_equal(weir_socket_abort(t->stack, s), 0);
    weir_stack_poll(t->stack, t->now, 0);
    assert_null(weir_inspect_check(t->stack, t->now));
    talk_destroy(t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_after_the_fin_leaves_nothing),
        cmocka_unit_test(a_reset_may_wait_for_the_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
