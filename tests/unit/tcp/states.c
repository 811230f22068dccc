/* SPDX-License-Identifier: MIT */

/* One way into each state of RFC 9293 figure 5, and steps from there.
 *
 * The peer's numbers count from its SYN and ours from ours, so that in each place the three numbers
 * that segments are judged by are small constants; a step says "$r+1" for RCV.NXT + 1 and can be
 * tried in every state. Each step has a stack of its own: what one does cannot help another. */

#include "states.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct place_facts states_facts[PLACES] = {
    [AT_LISTEN] = {"LISTEN", WEIR_STATE_LISTEN, 0, 0, 0},
    [AT_SYN_SENT] = {"SYN-SENT", WEIR_STATE_SYN_SENT, 0, 1, 0},
    [AT_SYN_RECEIVED] = {"SYN-RECEIVED", WEIR_STATE_LISTEN, 0, 1, 1},
    [AT_SYN_RECEIVED_ACTIVE] = {"SYN-RECEIVED (active)", WEIR_STATE_SYN_RECEIVED, 0, 1, 1},
    [AT_ESTABLISHED] = {"ESTABLISHED", WEIR_STATE_ESTABLISHED, 1, 1, 1},
    [AT_FIN_WAIT_1] = {"FIN-WAIT-1", WEIR_STATE_FIN_WAIT_1, 1, 2, 1},
    [AT_FIN_WAIT_2] = {"FIN-WAIT-2", WEIR_STATE_FIN_WAIT_2, 2, 2, 1},
    [AT_CLOSE_WAIT] = {"CLOSE-WAIT", WEIR_STATE_CLOSE_WAIT, 1, 1, 2},
    [AT_CLOSING] = {"CLOSING", WEIR_STATE_CLOSING, 1, 2, 2},
    [AT_LAST_ACK] = {"LAST-ACK", WEIR_STATE_LAST_ACK, 1, 2, 2},
    [AT_TIME_WAIT] = {"TIME-WAIT", WEIR_STATE_TIME_WAIT, 2, 2, 2},
    [AT_TIME_WAIT_ALONE] = {"TIME-WAIT (record)", WEIR_STATE_TIME_WAIT, 2, 2, 2},
};

static int enter_listen(struct talk *t)
{
    int listener = talk_listen(t, 16);

    talk_use(t, t->our_port, t->peer_port, t->peer_isn);
    return listener;
}

static int enter_syn_received(struct talk *t)
{
    int listener = enter_listen(t);

    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    return listener;
}

static int enter_opening(struct talk *t, enum place place)
{
    int s = talk_connect(t);

    talk_out(t, "S 0:0(0)");
    if (place == AT_SYN_RECEIVED_ACTIVE) {
        talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
        talk_out(t, "S. 0:0(0) ack 1");
    }
    return s;
}

static void enter_passive_close(struct talk *t, enum place place, int s)
{
    talk_in(t, "F. 1:1(0) ack 1 win 65535");
    talk_out(t, ". 1:1(0) ack 2");
    if (place == AT_CLOSE_WAIT)
        return;
    assert_int_equal(talk_shutdown(t, s), 0);
    talk_out(t, "F. 1:1(0) ack 2");
}

static void enter_active_close(struct talk *t, enum place place, int s)
{
    assert_int_equal(place == AT_TIME_WAIT_ALONE ? talk_close(t, s) : talk_shutdown(t, s), 0);
    talk_out(t, "F. 1:1(0) ack 1");
    if (place == AT_FIN_WAIT_1)
        return;
    if (place == AT_CLOSING) {
        talk_in(t, "F. 1:1(0) ack 1 win 65535");
        talk_out(t, ". 2:2(0) ack 2");
        return;
    }
    talk_in(t, ". 1:1(0) ack 2 win 65535");
    if (place == AT_FIN_WAIT_2)
        return;
    talk_in(t, "F. 1:1(0) ack 2 win 65535");
    talk_out(t, ". 2:2(0) ack 2");
}

int states_enter(struct talk *t, enum place place)
{
    int s;

    if (place == AT_LISTEN)
        return enter_listen(t);
    if (place == AT_SYN_RECEIVED)
        return enter_syn_received(t);
    if (place == AT_SYN_SENT || place == AT_SYN_RECEIVED_ACTIVE)
        s = enter_opening(t, place);
    else
        s = talk_establish_passive(t);
    if (place == AT_CLOSE_WAIT || place == AT_LAST_ACK)
        enter_passive_close(t, place, s);
    else if (place >= AT_FIN_WAIT_1)
        enter_active_close(t, place, s);
    talk_out_none(t);
    talk_expect_state_at(t, s, states_facts[place].state, states_facts[place].name, 0);
    return s;
}

static long base_of(const struct place_facts *facts, char letter)
{
    return letter == 'u' ? facts->una : letter == 's' ? facts->nxt : facts->rcv;
}

const char *states_text(enum place place, const char *text)
{
    static char texts[4][256];
    static unsigned turn;
    char *out = texts[turn++ % 4], *to = out;

    while (*text != '\0' && to < out + 200) {
        long value;
        char *end;

        if (*text != '$') {
            *to++ = *text++;
            continue;
        }
        value = base_of(&states_facts[place], text[1]);
        text += 2;
        if ((*text == '+' || *text == '-') && isdigit((unsigned char)text[1])) {
            value += strtol(text, &end, 10);
            text = end;
        }
        to += sprintf(to, "%ld", value);
    }
    *to = '\0';
    return out;
}

struct weir_stack_config states_config(enum weir_profile profile)
{
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    memset(config.seed, 0x5a, sizeof(config.seed));
    weir_profile(profile, &config.tcp);
    return config;
}

static void expect_all(struct talk *t, const struct states_step *step, const char *name)
{
    char text[256], *rest = text, *one;

    snprintf(text, sizeof(text), "%s", step->out ? step->out : "");
    while ((one = strsep(&rest, "|")) != NULL)
        if (*one != '\0')
            talk_out_at(t, states_text(step->place, one), name, 0);
    talk_out_none_at(t, name, 0);
}

void states_run_one(const struct weir_stack_config *config, const struct states_step *step)
{
    struct talk *t = talk_create(config);
    int s = states_enter(t, step->place);
    int error;
    char name[300];

    snprintf(name, sizeof(name), "%s: %s", states_facts[step->place].name, step->in);
    talk_in_at(t, states_text(step->place, step->in), name, 0);
    expect_all(t, step, name);
    talk_expect_state_at(t, s, step->then, name, 0);
    error = weir_socket_take_error(t->stack, s);
    if (step->place != AT_TIME_WAIT_ALONE && error != step->error)
        talk_fail(t, name, 0, "pending error %d, expected %d", error, step->error);
    talk_destroy(t);
}

void states_run(const struct states_step *steps, size_t count)
{
    struct weir_stack_config config = states_config(WEIR_PROFILE_DEFAULT);

    for (size_t i = 0; i < count; i++)
        states_run_one(&config, &steps[i]);
}
