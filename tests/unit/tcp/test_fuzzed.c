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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_after_the_fin_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
