/* SPDX-License-Identifier: MIT */

/* Completion of the word before the cursor.
 *
 * The first word is a command of this kind of node. What can follow depends on the command: an
 * interface for `up`, `down` and `link`, a file for `sf`, `rf` and `capture on`, nothing else. All
 * candidates that begin with what is typed are collected; what they have in common beyond that is what
 * may be inserted, followed by a blank if there is but one (and it is no directory).
 *
 * Limits: CHOICES_MAX choices; what comes later is not offered.
 */

#include <cmd/repl/commands.h>
#include <cmd/repl/complete.h>
#include <cmd/repl/repl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHOICES_MAX 256

/* Adds `word` if it begins with the `typed` bytes at `start`. */
static int offer(struct completion *completion, const char *start, const char *word)
{
    if (completion->count == CHOICES_MAX || strncmp(word, start, completion->typed) != 0)
        return 0;
    completion->choices[completion->count] = strdup(word);
    if (!completion->choices[completion->count])
        return WEIR_ENOMEM;
    completion->count++;
    return 0;
}

static int offer_commands(struct repl *repl, struct completion *completion, const char *start)
{
    const struct command *command;
    unsigned i;
    int result = 0;

    for (i = 0; (command = command_at(i)) && !result; i++)
        if (command_find(command->name, repl->options.is_router))
            result = offer(completion, start, command->name);
    return result;
}

static int offer_ifaces(struct repl *repl, struct completion *completion, const char *start)
{
    struct weir_stack *stack = weir_host_lock(repl->host);
    struct weir_iface_row row;
    int i, result = 0;

    for (i = 0; weir_inspect_iface(stack, i, &row) == 0 && !result; i++)
        result = offer(completion, start, row.name);
    weir_host_unlock(repl->host);
    return result;
}

/* The entry `name` of the directory that is the first `prefix` bytes of `path`. */
static int offer_file(struct completion *completion, const char *path, size_t prefix,
                      const char *name)
{
    char word[COMPLETE_TEXT];
    struct stat status;
    int length = snprintf(word, sizeof word - 1, "%.*s%s", (int)prefix, path, name);

    if (length < 0 || (size_t)length >= sizeof word - 1)
        return 0;
    if (stat(word, &status) == 0 && S_ISDIR(status.st_mode))
        strcat(word, "/");
    return offer(completion, path, word);
}

static int offer_files(struct completion *completion, const char *start)
{
    char path[COMPLETE_TEXT];
    char *slash;
    size_t prefix;
    struct dirent *entry;
    DIR *directory;
    int result = 0;

    if (completion->typed >= sizeof path)
        return 0;
    memcpy(path, start, completion->typed);
    path[completion->typed] = '\0';
    slash = strrchr(path, '/');
    prefix = slash ? (size_t)(slash - path) + 1 : 0;
    path[prefix] = '\0';
    directory = opendir(prefix ? path : ".");
    memcpy(path, start, completion->typed);
    while (directory && !result && (entry = readdir(directory)))
        if (entry->d_name[0] != '.' || path[prefix] == '.')
            result = offer_file(completion, path, prefix, entry->d_name);
    if (directory)
        closedir(directory);
    return result;
}

/* `on` or `off`, then a file. */
static int offer_capture(struct completion *completion, const char *line, size_t start)
{
    size_t second = strlen("capture");
    int result;

    second += strspn(line + second, " ");
    if (start != second)
        return offer_files(completion, line + start);
    result = offer(completion, line + start, "on");
    return result ? result : offer(completion, line + start, "off");
}

static int by_name(const void *a, const void *b)
{
    char *const *left = a;
    char *const *right = b;

    return strcmp(*left, *right);
}

/* Finds what all choices have in common beyond what is typed. */
static void find_common(struct completion *completion)
{
    size_t length, i;
    const char *first;

    if (completion->count == 0)
        return;
    qsort(completion->choices, completion->count, sizeof(char *), by_name);
    first = completion->choices[0];
    length = strlen(first);
    for (i = 1; i < completion->count; i++)
        while (strncmp(first, completion->choices[i], length) != 0)
            length--;
    snprintf(completion->insert, sizeof completion->insert - 1, "%.*s",
             (int)(length - completion->typed), first + completion->typed);
    if (completion->count == 1 && length && first[length - 1] != '/')
        strcat(completion->insert, " ");
}

/* Begins with `command` and a blank. */
static bool is_command(const char *line, const char *command)
{
    size_t length = strlen(command);

    return strncmp(line, command, length) == 0 && line[length] == ' ';
}

int complete_line(struct repl *repl, const char *line, size_t cursor, struct completion *completion)
{
    size_t start = cursor;
    int result = 0;

    memset(completion, 0, sizeof *completion);
    while (start && line[start - 1] != ' ')
        start--;
    completion->typed = cursor - start;
    completion->choices = calloc(CHOICES_MAX, sizeof(char *));
    if (!completion->choices)
        return WEIR_ENOMEM;
    if (strspn(line, " ") >= start)
        result = offer_commands(repl, completion, line + start);
    else if (is_command(line, "up") || is_command(line, "down") || is_command(line, "link"))
        result = offer_ifaces(repl, completion, line + start);
    else if (is_command(line, "capture"))
        result = offer_capture(completion, line, start);
    else if (is_command(line, "sf") || is_command(line, "rf"))
        result = offer_files(completion, line + start);
    if (result)
        complete_done(completion);
    else
        find_common(completion);
    return result;
}

void complete_done(struct completion *completion)
{
    size_t i;

    for (i = 0; i < completion->count; i++)
        free(completion->choices[i]);
    free(completion->choices);
    memset(completion, 0, sizeof *completion);
}
