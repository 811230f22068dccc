/* SPDX-License-Identifier: MIT */

/* Lines from a pipe or a file.
 *
 * Bytes are read in large pieces and handed out line by line. A line that ends with the input
 * instead of a newline is a line too. A line over INPUT_LINE_MAX bytes, or one with a NUL byte, is
 * dropped as a whole and reported once; what follows it is read normally. The buffer grows up to
 * the length of the longest line.
 */

#include <cmd/repl/input.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/error.h>

#define READ_SIZE 65536

void input_init(struct input *input, int fd)
{
    memset(input, 0, sizeof *input);
    input->fd = fd;
}

void input_done(struct input *input)
{
    free(input->buffer);
    input->buffer = NULL;
}

/* Moves what is left to the front and makes room for one read and a terminator. */
static int make_room(struct input *input)
{
    size_t held = input->end - input->start;
    char *bigger;

    if (input->start) {
        memmove(input->buffer, input->buffer + input->start, held);
        input->start = 0;
        input->end = held;
    }
    if (input->room >= held + READ_SIZE + 1)
        return 0;
    bigger = realloc(input->buffer, 2 * held + READ_SIZE + 1);
    if (!bigger)
        return WEIR_ENOMEM;
    input->buffer = bigger;
    input->room = 2 * held + READ_SIZE + 1;
    return 0;
}

int input_fill(struct input *input)
{
    ssize_t count;

    if (make_room(input))
        return WEIR_ENOMEM;
    count = read(input->fd, input->buffer + input->end, READ_SIZE);
    if (count > 0)
        input->end += (size_t)count;
    else if (count == 0 || (errno != EINTR && errno != EAGAIN))
        input->at_end = true;
    return 0;
}

/* No newline in what is held. */
static enum input_result no_newline(struct input *input, char **line)
{
    size_t held = input->end - input->start;

    if (input->skipping || held > INPUT_LINE_MAX) {
        bool first = !input->skipping;

        input->start = input->end;
        input->skipping = true;
        if (first)
            return INPUT_TOO_LONG;
        return input->at_end ? INPUT_END : INPUT_MORE;
    }
    if (!input->at_end)
        return INPUT_MORE;
    if (held == 0 || !input->buffer)
        return INPUT_END;
    *line = input->buffer + input->start;
    input->buffer[input->end] = '\0';
    input->start = input->end;
    return strlen(*line) < held ? INPUT_TOO_LONG : INPUT_LINE;
}

enum input_result input_next(struct input *input, char **line)
{
    for (;;) {
        char *text = input->buffer ? input->buffer + input->start : NULL;
        size_t held = input->end - input->start;
        char *newline = text ? memchr(text, '\n', held) : NULL;
        bool skipped = input->skipping;

        if (!newline)
            return no_newline(input, line);
        *newline = '\0';
        input->start += (size_t)(newline - text) + 1;
        input->skipping = false;
        if (skipped)
            continue;
        if (strlen(text) < (size_t)(newline - text) || newline - text > (long)INPUT_LINE_MAX)
            return INPUT_TOO_LONG;
        *line = text;
        return INPUT_LINE;
    }
}
