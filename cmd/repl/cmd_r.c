/* SPDX-License-Identifier: MIT */

/* r: reads up to N bytes, blocking the prompt until there is something; with `y` until there are N,
 * or the end. Control characters are shown escaped, so that one read is one line. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX ((uint64_t)16 << 20)

struct reading {
    char *data;
    size_t length; /* wanted */
    size_t got;
    bool all;
};

/* Reads on until there is enough. Returns 1 if that is so, 0 at end of stream, or an error. */
static long read_on(struct repl *repl, struct sid *sid, struct reading *reading)
{
    for (;;) {
        long result =
            weir_socket_recv(weir_host_lock(repl->host), sid->socket, reading->data + reading->got,
                             reading->length - reading->got);

        weir_host_unlock(repl->host);
        if (result <= 0 && result != WEIR_EAGAIN)
            return result;
        if (result > 0)
            reading->got += (size_t)result;
        if (reading->got == reading->length || (reading->got && !reading->all))
            return 1;
        if (!repl_may_wait(repl))
            return WEIR_EINTR;
        if (result == WEIR_EAGAIN) /* events are edges: ask until there is nothing */
            repl_step(repl, false);
    }
}

static void run(struct repl *repl, struct sid *sid, struct reading *reading)
{
    long result = read_on(repl, sid, reading);
    char *text;

    if (reading->got) {
        text = args_printable(reading->data, reading->got);
        repl_say(repl, "Read %zu bytes: %s", reading->got, text ? text : "");
        free(text);
    } else if (result == 0) {
        repl_fail(repl, "VRead error: EOF");
    } else {
        repl_fail(repl, "VRead error: %s", print_error((int)result));
    }
}

/* The third word: only y or n. */
static bool parse_mode(const char *word, bool *all)
{
    *all = word && strcmp(word, "y") == 0;
    return !word || *all || strcmp(word, "n") == 0;
}

void cmd_r(struct repl *repl, const struct args *args)
{
    struct reading reading = {NULL, 0, 0, false};
    struct sid *sid = word_sid(repl, args->word[1]);
    uint64_t length;

    if (!sid)
        return;
    if (args_number(args->word[2], 1, READ_MAX, &length) ||
        !parse_mode(args->word[3], &reading.all)) {
        repl_fail(repl, "Usage: %s", command_find("r", false)->usage);
        return;
    }
    if (sid->kind == SID_LISTENER || sid->transfer || sid->closed) {
        repl_fail(repl, "VRead error: Operation not permitted");
        return;
    }
    reading.length = (size_t)length;
    reading.data = malloc(reading.length);
    if (!reading.data) {
        repl_fail(repl, "VRead error: %s", weir_strerror(WEIR_ENOMEM));
        return;
    }
    sid->busy = true;
    run(repl, sid, &reading);
    repl_settle(repl, sid);
    free(reading.data);
}
