/* SPDX-License-Identifier: MIT */

/* setsockopt and getsockopt: Linux's names and units to weir's options. */

#include <lab/drill/run.h>
#include <string.h>

static const struct {
    const char *name;
    enum weir_option option;
    weir_time unit; /* of the script's number, in weir's */
} table[] = {
    {"SO_SNDBUF", WEIR_SO_SNDBUF, 1},
    {"SO_RCVBUF", WEIR_SO_RCVBUF, 1},
    {"SO_KEEPALIVE", WEIR_SO_KEEPALIVE, 1},
    {"SO_REUSEADDR", WEIR_SO_REUSEADDR, 1},
    {"TCP_NODELAY", WEIR_TCP_NODELAY, 1},
    {"TCP_CORK", WEIR_TCP_CORK, 1},
    {"TCP_MAXSEG", WEIR_TCP_MAXSEG, 1},
    {"TCP_KEEPIDLE", WEIR_TCP_KEEPIDLE, WEIR_SECOND},
    {"TCP_KEEPINTVL", WEIR_TCP_KEEPINTVL, WEIR_SECOND},
    {"TCP_KEEPCNT", WEIR_TCP_KEEPCNT, 1},
    {"TCP_USER_TIMEOUT", WEIR_TCP_USER_TIMEOUT, WEIR_MS},
    {"IP_TTL", WEIR_IP_TTL, 1},
    {"IP_TOS", WEIR_IP_TOS, 1},
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static size_t row_of(const char *name)
{
    size_t i;

    for (i = 0; i < ROWS; i++)
        if (!strcmp(table[i].name, name))
            break;
    return i;
}

bool sockopt_known(const char *name)
{
    return row_of(name) < ROWS || !strcmp(name, "SO_LINGER") || !strcmp(name, "SO_ERROR");
}

/* {onoff=1, linger=0} as weir's number; false: that is not what stands there. */
static bool linger_of(const struct value *value, int64_t *linger)
{
    const struct value *item;
    int64_t on = 0, seconds = 0, *to;

    if (!value || value->kind != VALUE_RECORD)
        return false;
    for (item = value->items; item; item = item->next) {
        to = item->name && !strcmp(item->name, "onoff") ? &on : &seconds;
        if (!value_int(item, to))
            return false;
    }
    *linger = on ? seconds * WEIR_SECOND : -1;
    return true;
}

/* fd, level, name, value. */
static struct drill_fd *take(struct run *run, const struct call_line *call, const char **name,
                             const struct value **value, struct outcome *outcome)
{
    int64_t number = -1;
    struct drill_fd *fd;

    *outcome = (struct outcome){.result = -1};
    if (call->arg_count != 5 || call->args->next->next->kind != VALUE_WORD) {
        snprintf(outcome->text, sizeof(outcome->text), "expected five arguments and a name");
        return NULL;
    }
    *name = call->args->next->next->text;
    *value = call->args->next->next->next;
    fd = value_int(call->args, &number) ? fd_find(run, number) : NULL;
    if (!fd)
        outcome->error = WEIR_EBADF;
    return fd;
}

static void finish(struct outcome *outcome, int error)
{
    outcome->error = error;
    outcome->result = error < 0 ? -1 : 0;
}

void call_setsockopt(struct run *run, const struct call_line *call, struct outcome *outcome)
{
    const struct value *value;
    const char *name;
    struct drill_fd *fd = take(run, call, &name, &value, outcome);
    int64_t number = 0;
    size_t row;

    if (!fd)
        return;
    row = row_of(name);
    if (!strcmp(name, "SO_LINGER") && linger_of(value, &number))
        finish(outcome, weir_socket_set(run->stack, fd->socket, WEIR_SO_LINGER, number));
    else if (!value_int(value, &number))
        snprintf(outcome->text, sizeof(outcome->text), "the value of %s is no number", name);
    else if (row < ROWS)
        finish(outcome, weir_socket_set(run->stack, fd->socket, table[row].option,
                                        number * table[row].unit));
    else
        finish(outcome, 0);
}

void call_getsockopt(struct run *run, const struct call_line *call, struct outcome *outcome)
{
    const struct value *value;
    const char *name;
    struct drill_fd *fd = take(run, call, &name, &value, outcome);
    int64_t expected = 0, found = 0;
    size_t row;

    if (!fd)
        return;
    row = row_of(name);
    if (!strcmp(name, "SO_ERROR"))
        found = -(int64_t)weir_socket_take_error(run->stack, fd->socket);
    else if (row < ROWS)
        finish(outcome, weir_socket_get(run->stack, fd->socket, table[row].option, &found));
    if (row < ROWS)
        found /= table[row].unit;
    else
        finish(outcome, 0);
    if (outcome->error == 0 && (!value_int(value, &expected) || expected != found))
        snprintf(outcome->text, sizeof(outcome->text), "%s is %lld, expected %lld", name,
                 (long long)found, (long long)expected);
}
