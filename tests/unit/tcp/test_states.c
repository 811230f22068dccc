/* SPDX-License-Identifier: MIT */

/* SEGMENT ARRIVES as a table: every state of RFC 9293 3.3.2 against every kind of segment that
 * 3.10.7 tells apart. What all synchronised states do alike is tried in each of them; what they do
 * differently is a row of its own. */

#include "states.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ACK_NOW ". $s:$s(0) ack $r"

/* clang-format off */

/* RFC 9293 3.10.7.2 [U-8] */
static const struct states_step in_listen[] = {
    {AT_LISTEN, "R 0:0(0)",                NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "R. 0:0(0) ack 5",         NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "SR 0:0(0)",               NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, ". 0:0(0) ack 77",         "R 77:77(0)",       WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "S. 0:0(0) ack 77",        "R 77:77(0)",       WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "F. 0:0(0) ack 77",        "R 77:77(0)",       WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "P. 1:11(10) ack 77",      "R 77:77(0)",       WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "F 0:0(0)",                NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "P 1:11(10)",              NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "U 1:11(10) urg 3",        NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "- 1:1(0)",                NULL,               WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "S 0:0(0) <mss 1000>",     "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "SF 0:0(0)",               "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "S 0:10(10)",              "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "SP 0:0(0)",               "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
    {AT_LISTEN, "SEC 0:0(0)",              "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
};

/* RFC 9293 3.10.7.3 [U-9, U-10, U-20]: ACK, then RST, then SYN. */
static const struct states_step in_syn_sent[] = {
    {AT_SYN_SENT, "S. 0:0(0) ack 1",        ". 1:1(0) ack 1",  WEIR_STATE_ESTABLISHED, 0},
    {AT_SYN_SENT, "S. 0:0(0) ack 0",        "R 0:0(0)",        WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "S. 0:0(0) ack -5",       "R -5:-5(0)",      WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "S. 0:0(0) ack 2",        "R 2:2(0)",        WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, ". 0:0(0) ack 0",         "R 0:0(0)",        WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, ". 0:0(0) ack 2",         "R 2:2(0)",        WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, ". 0:0(0) ack 1",         NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "P. 0:10(10) ack 1",      NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "F. 0:0(0) ack 1",        NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "F 0:0(0)",               NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "- 0:10(10)",             NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "R 0:0(0)",               NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "R. 0:0(0) ack 0",        NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "R. 0:0(0) ack 2",        NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "SR. 0:0(0) ack 2",       NULL,              WEIR_STATE_SYN_SENT, 0},
    {AT_SYN_SENT, "R. 0:0(0) ack 1",        NULL,             WEIR_STATE_CLOSED, WEIR_ECONNREFUSED},
    {AT_SYN_SENT, "R. 9:29(20) ack 1",      NULL,             WEIR_STATE_CLOSED, WEIR_ECONNREFUSED},
    {AT_SYN_SENT, "SR. 0:0(0) ack 1",       NULL,             WEIR_STATE_CLOSED, WEIR_ECONNREFUSED},
    {AT_SYN_SENT, "S 0:0(0)",               "S. 0:0(0) ack 1", WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_SENT, "S. 0:10(10) ack 1",      ". 1:1(0) ack 11", WEIR_STATE_ESTABLISHED, 0},
    {AT_SYN_SENT, "SF. 0:0(0) ack 1",       ". 1:1(0) ack 2",  WEIR_STATE_CLOSE_WAIT, 0},
    {AT_SYN_SENT, "SF. 0:10(10) ack 1",     ". 1:1(0) ack 12", WEIR_STATE_CLOSE_WAIT, 0},
};

/* RFC 9293 3.10.7.4 [U-11, U-12, U-13, MUST-11] after a passive open. The socket asked is the
 * listener: it stays in LISTEN and never hears of it. */
static const struct states_step in_syn_received[] = {
    {AT_SYN_RECEIVED, "S 0:0(0)",             "S. 0:0(0) ack 1",  WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "S 1:1(0)",             NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "S. 5:5(0) ack 1",      NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "S -9:-9(0)",           ACK_NOW,            WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, ". 1:1(0) ack 0",       "R 0:0(0)",         WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, ". 1:1(0) ack 2",       "R 2:2(0)",         WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "P. 1:11(10) ack 2",    "R 2:2(0)",         WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, ". 0:0(0) ack 1",       ACK_NOW,            WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, ". 65536:65536(0) ack 1", ACK_NOW,          WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "P 1:11(10)",           NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "F 1:1(0)",             NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "R 1:1(0)",             NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "R 2:2(0)",             ACK_NOW,            WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "R 0:0(0)",             NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "R 65536:65536(0)",     NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, ". 1:1(0) ack 1",       NULL,               WEIR_STATE_LISTEN, 0},
    {AT_SYN_RECEIVED, "F. 1:1(0) ack 1",      ". 1:1(0) ack 2",   WEIR_STATE_LISTEN, 0},
};

/* RFC 9293 3.5 [MUST-10, MUST-11, U-11, U-26] after a simultaneous open. */
static const struct states_step in_syn_received_active[] = {
    {AT_SYN_RECEIVED_ACTIVE, "S. 0:0(0) ack 1",   NULL,             WEIR_STATE_ESTABLISHED, 0},
    {AT_SYN_RECEIVED_ACTIVE, ". 1:1(0) ack 1",    NULL,             WEIR_STATE_ESTABLISHED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "F. 1:1(0) ack 1",   ". 1:1(0) ack 2", WEIR_STATE_CLOSE_WAIT, 0},
    {AT_SYN_RECEIVED_ACTIVE, ". 1:1(0) ack 0",    "R 0:0(0)",       WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, ". 1:1(0) ack 2",    "R 2:2(0)",       WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "S. 0:0(0) ack 2",   "R 2:2(0)",       WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "S 0:0(0)",          ACK_NOW,          WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "S 5:5(0)",          ACK_NOW,          WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "P 1:11(10)",        NULL,             WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "F 1:1(0)",          NULL,             WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "R 0:0(0)",          NULL,             WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "R 5:5(0)",          ACK_NOW,          WEIR_STATE_SYN_RECEIVED, 0},
    {AT_SYN_RECEIVED_ACTIVE, "R 1:1(0)",          NULL,   WEIR_STATE_CLOSED, WEIR_ECONNREFUSED},
    {AT_SYN_RECEIVED_ACTIVE, "R. 1:1(0) ack 1",   NULL,   WEIR_STATE_CLOSED, WEIR_ECONNREFUSED},
};

/* RFC 9293 3.10.7.4, fifth and eighth [U-17]: what each state makes of ACK and FIN. The FIN takes
 * one number, as the SYN did: RFC 9293 3.4 [U-4]. */
static const struct states_step ack_and_fin[] = {
    {AT_ESTABLISHED, "F. $r:$r(0) ack 1",       ". 1:1(0) ack 2",  WEIR_STATE_CLOSE_WAIT, 0},
    {AT_ESTABLISHED, "FP. $r:$r+10(10) ack 1",  ". 1:1(0) ack 12", WEIR_STATE_CLOSE_WAIT, 0},
    {AT_FIN_WAIT_1,  ". $r:$r(0) ack 2",        NULL,              WEIR_STATE_FIN_WAIT_2, 0},
    {AT_FIN_WAIT_1,  ". $r:$r(0) ack 1",        NULL,              WEIR_STATE_FIN_WAIT_1, 0},
    {AT_FIN_WAIT_1,  "F. $r:$r(0) ack 1",       ". 2:2(0) ack 2",  WEIR_STATE_CLOSING, 0},
    {AT_FIN_WAIT_1,  "F. $r:$r(0) ack 2",       ". 2:2(0) ack 2",  WEIR_STATE_TIME_WAIT, 0},
    {AT_FIN_WAIT_1,  "FP. $r:$r+10(10) ack 2",  ". 2:2(0) ack 12", WEIR_STATE_TIME_WAIT, 0},
    {AT_FIN_WAIT_1,  "FP. $r:$r+10(10) ack 1",  ". 2:2(0) ack 12", WEIR_STATE_CLOSING, 0},
    {AT_FIN_WAIT_2,  ". $r:$r(0) ack 2",        NULL,              WEIR_STATE_FIN_WAIT_2, 0},
    {AT_FIN_WAIT_2,  "F. $r:$r(0) ack 2",       ". 2:2(0) ack 2",  WEIR_STATE_TIME_WAIT, 0},
    {AT_FIN_WAIT_2,  "F. $r:$r(0) ack 1",       ". 2:2(0) ack 2",  WEIR_STATE_TIME_WAIT, 0},
    {AT_FIN_WAIT_2,  "F. $r+5:$r+5(0) ack 2",   ". 2:2(0) ack 1",  WEIR_STATE_FIN_WAIT_2, 0},
    {AT_CLOSE_WAIT,  ". $r:$r(0) ack 1",        NULL,              WEIR_STATE_CLOSE_WAIT, 0},
    {AT_CLOSE_WAIT,  "F. $r-1:$r-1(0) ack 1",   ". 1:1(0) ack 2",  WEIR_STATE_CLOSE_WAIT, 0},
    {AT_CLOSE_WAIT,  "F. $r:$r(0) ack 1",       NULL,              WEIR_STATE_CLOSE_WAIT, 0},
    {AT_CLOSING,     ". $r:$r(0) ack 2",        NULL,              WEIR_STATE_TIME_WAIT, 0},
    {AT_CLOSING,     ". $r:$r(0) ack 1",        NULL,              WEIR_STATE_CLOSING, 0},
    {AT_CLOSING,     "F. $r-1:$r-1(0) ack 1",   ". 2:2(0) ack 2",  WEIR_STATE_CLOSING, 0},
    {AT_LAST_ACK,    ". $r:$r(0) ack 2",        NULL,              WEIR_STATE_CLOSED, 0},
    {AT_LAST_ACK,    ". $r:$r(0) ack 1",        NULL,              WEIR_STATE_LAST_ACK, 0},
    {AT_LAST_ACK,    "F. $r-1:$r-1(0) ack 1",   ". 2:2(0) ack 2",  WEIR_STATE_LAST_ACK, 0},
    {AT_TIME_WAIT,   "F. $r-1:$r-1(0) ack 2",   ". 2:2(0) ack 2",  WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT,   ". $r:$r(0) ack 2",        NULL,              WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT_ALONE, "F. $r-1:$r-1(0) ack 2", ". 2:2(0) ack 2", WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT_ALONE, ". $r:$r(0) ack 2",    NULL,              WEIR_STATE_TIME_WAIT, 0},
};

/* RFC 9293 3.10.7.4, second [SHLD-2]: the exact RST, bare, with an ACK, and with data; it counts
 * even if its ACK is nonsense. RFC 1337 3 [1337-1] for TIME-WAIT. */
static const struct states_step exact_rst[] = {
    {AT_ESTABLISHED, "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_ESTABLISHED, "R. $r:$r(0) ack 1",       NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_ESTABLISHED, "R. $r:$r(0) ack 99999",   NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_ESTABLISHED, "R $r:$r+20(20)",          NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_ESTABLISHED, "SR $r:$r(0)",             NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_ESTABLISHED, "FR $r:$r(0)",             NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_FIN_WAIT_1,  "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_FIN_WAIT_1,  "R. $r:$r+20(20) ack 2",   NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_FIN_WAIT_2,  "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_FIN_WAIT_2,  "R $r:$r+20(20)",          NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_CLOSE_WAIT,  "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_CLOSE_WAIT,  "R $r:$r+20(20)",          NULL, WEIR_STATE_CLOSED, WEIR_ECONNRESET},
    {AT_CLOSING,     "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, 0},
    {AT_CLOSING,     "R $r:$r+20(20)",          NULL, WEIR_STATE_CLOSED, 0},
    {AT_LAST_ACK,    "R $r:$r(0)",              NULL, WEIR_STATE_CLOSED, 0},
    {AT_LAST_ACK,    "R $r:$r+20(20)",          NULL, WEIR_STATE_CLOSED, 0},
    {AT_TIME_WAIT,   "R $r:$r(0)",              NULL, WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT,   "R $r:$r+20(20)",          NULL, WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT_ALONE, "R $r:$r(0)",          NULL, WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT_ALONE, "R $r:$r+20(20)",      NULL, WEIR_STATE_TIME_WAIT, 0},
};

/* RFC 9293 3.10.7.4, seventh: text. Where the peer's FIN was seen, none can follow. */
static const struct states_step text[] = {
    {AT_ESTABLISHED, "P. $r:$r+10(10) ack 1",      NULL,              WEIR_STATE_ESTABLISHED, 0},
    {AT_ESTABLISHED, "P. $r+5:$r+15(10) ack 1",    ". 1:1(0) ack 1",  WEIR_STATE_ESTABLISHED, 0},
    {AT_FIN_WAIT_1,  "P. $r:$r+10(10) ack 1",      NULL,              WEIR_STATE_FIN_WAIT_1, 0},
    {AT_FIN_WAIT_1,  "P. $r:$r+10(10) ack 2",      NULL,              WEIR_STATE_FIN_WAIT_2, 0},
    {AT_FIN_WAIT_2,  "P. $r:$r+10(10) ack 2",      NULL,              WEIR_STATE_FIN_WAIT_2, 0},
    {AT_CLOSE_WAIT,  "P. $r:$r+10(10) ack 1",      NULL,              WEIR_STATE_CLOSE_WAIT, 0},
    {AT_CLOSING,     "P. $r:$r+10(10) ack 1",      NULL,              WEIR_STATE_CLOSING, 0},
    {AT_LAST_ACK,    "P. $r:$r+10(10) ack 1",      NULL,              WEIR_STATE_LAST_ACK, 0},
    {AT_TIME_WAIT,   "P. $r:$r+10(10) ack 2",      NULL,              WEIR_STATE_TIME_WAIT, 0},
    {AT_TIME_WAIT_ALONE, "P. $r:$r+10(10) ack 2",  ACK_NOW,           WEIR_STATE_TIME_WAIT, 0},
};

/* What every synchronised state does alike: {what comes, what answers}. The window is 65535,
 * less one once the FIN was taken.
 * RFC 9293 3.10.7.4 [U-5, U-12, U-13, U-15, U-20, U-30, MAY-12]; RFC 5961 3.2, 4.2,
 * 5.2. */
static const struct { const char *in, *out; } alike[] = {
    {"R $r-1:$r-1(0)", NULL},                        /* RST outside the window */
    {"R $r+65535:$r+65535(0)", NULL},
    {"R. $r-1000:$r-1000(0) ack $s", NULL},
    {"R $r+1:$r+1(0)", ACK_NOW},                     /* in the window, not exact */
    {"R $r+65533:$r+65533(0)", ACK_NOW},
    {"R. $r+100:$r+120(20) ack $s", ACK_NOW},
    {"S $r:$r(0)", ACK_NOW},                         /* SYN, wherever */
    {"S $r+100:$r+100(0)", ACK_NOW},
    {"S $r-100:$r-100(0)", ACK_NOW},
    {"S $r+70000:$r+70000(0)", ACK_NOW},
    {"S. $r:$r(0) ack $s", ACK_NOW},
    {"S. 0:0(0) ack 1", ACK_NOW},                    /* the SYN-ACK, again */
    {". $r:$r(0) ack $s+1", ACK_NOW},                /* what was never sent */
    {"P. $r:$r+10(10) ack $s+1", ACK_NOW},
    {"F. $r:$r(0) ack $s+1", ACK_NOW},
    {". $r:$r(0) ack $u-65536", ACK_NOW},            /* too old */
    {"P. $r:$r+10(10) ack $u-65536", ACK_NOW},
    {". $r:$r(0) ack $u-65535", NULL},               /* just old */
    {"- $r:$r(0)", NULL},                            /* no ACK */
    {"P $r:$r+10(10)", NULL},
    {"F $r:$r(0)", NULL},
    {"U $r:$r(0) urg 5", NULL},
    {"P. $r-10:$r(10) ack $s", ACK_NOW},             /* old data */
    {"P. $r+65535:$r+65545(10) ack $s", ACK_NOW},    /* beyond the window */
    {"F. $r+65535:$r+65535(0) ack $s", ACK_NOW},
    {". $r-1:$r-1(0) ack $s", ACK_NOW},              /* a keep-alive probe */
    {". $r+65535:$r+65535(0) ack $s", ACK_NOW},
    {"P. $r-1:$r(1) ack $s", ACK_NOW},
};

/* clang-format on */

static void listen_answers_by_kind(void **state)
{
    (void)state;
    states_run(in_listen, COUNT(in_listen));
}

static void syn_sent_answers_by_kind(void **state)
{
    (void)state;
    states_run(in_syn_sent, COUNT(in_syn_sent));
}

static void syn_received_answers_by_kind(void **state)
{
    (void)state;
    states_run(in_syn_received, COUNT(in_syn_received));
}

static void syn_received_after_an_active_open(void **state)
{
    (void)state;
    states_run(in_syn_received_active, COUNT(in_syn_received_active));
}

static void ack_and_fin_move_states(void **state)
{
    (void)state;
    states_run(ack_and_fin, COUNT(ack_and_fin));
}

static void an_exact_rst_ends_every_state_but_time_wait(void **state)
{
    (void)state;
    states_run(exact_rst, COUNT(exact_rst));
}

static void text_is_taken_where_it_can_come(void **state)
{
    (void)state;
    states_run(text, COUNT(text));
}

static void synchronised_states_refuse_alike(void **state)
{
    (void)state;
    for (int place = AT_ESTABLISHED; place < AT_TIME_WAIT_ALONE; place++) {
        for (size_t i = 0; i < COUNT(alike); i++) {
            struct states_step step = {.place = (enum place)place,
                                       .in = alike[i].in,
                                       .out = alike[i].out,
                                       .then = states_facts[place].state};

            states_run(&step, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_answers_by_kind),
        cmocka_unit_test(syn_sent_answers_by_kind),
        cmocka_unit_test(syn_received_answers_by_kind),
        cmocka_unit_test(syn_received_after_an_active_open),
        cmocka_unit_test(ack_and_fin_move_states),
        cmocka_unit_test(an_exact_rst_ends_every_state_but_time_wait),
        cmocka_unit_test(text_is_taken_where_it_can_come),
        cmocka_unit_test(synchronised_states_refuse_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
