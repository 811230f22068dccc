/* SPDX-License-Identifier: MIT */

/* The prompt's input: bytes from a pipe, cut into lines, and lines cut into words.
 *
 * The input is given to the line reader through a file, as a script would be. Each line goes through
 * what every command does with it: words, numbers, ports, rates, the look-up of the command, and the
 * printable form that echoes it; and, as the words of a command line, through the flags of the
 * programs. The commands themselves need a running host and are tested end to end.
 */

#include "fuzz.h"
#include <cmd/flags.h>
#include <cmd/repl/commands.h>
#include <cmd/repl/input.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_word(const char *word)
{
    uint64_t number = 0;
    uint16_t port = 0;
    double rate = 0;
    struct weir_addr addr;
    char text[WEIR_ADDR_TEXT];

    if (args_number(word, 3, 500, &number) == 0)
        FUZZ_CHECK(number >= 3 && number <= 500, "%s", word);
    if (args_port(word, &port) == 0)
        FUZZ_CHECK(port > 0, "%s", word);
    if (args_rate(word, &rate) == 0)
        FUZZ_CHECK(rate >= 0 && rate <= 1, "%s", word);
    if (weir_addr_parse(word, &addr) == 0)
        weir_addr_print(&addr, text);
    command_find(word, strlen(word) % 2);
}

static void check_printable(const char *data, size_t length)
{
    char *text = args_printable(data, length);
    size_t i;

    for (i = 0; text[i]; i++)
        FUZZ_CHECK((unsigned char)text[i] >= ' ' && text[i] != 0x7f, "0x%02x", text[i]);
    FUZZ_CHECK(i >= length, "shorter than before");
    free(text);
}

static void check_flags(const struct args *args)
{
    char program[] = "vhost", error[FLAGS_ERROR_TEXT];
    char *argv[ARGS_MAX + 2] = {program};
    struct flags flags;
    int argc = 1;
    unsigned i;

    for (i = 0; i < ARGS_MAX && args->word[i]; i++)
        argv[argc++] = args->word[i];
    error[0] = '\0';
    if (flags_parse(argc, argv, &flags, error) == 0)
        FUZZ_CHECK(flags.help || flags.config, "no config");
    else
        FUZZ_CHECK(memchr(error, '\0', sizeof error) && error[0], "no complaint");
}

static void check_line(char *line)
{
    size_t length = strlen(line);
    char *copy = (char *)exact_copy(line, length + 1);
    struct args args;
    unsigned i;

    check_printable(line, length);
    FUZZ_CHECK(args_parse(copy, &args) == 0, "no memory");
    for (i = 0; i < ARGS_MAX; i++) {
        FUZZ_CHECK((i < args.count) == (args.word[i] != NULL), "word %u of %u", i, args.count);
        if (!args.word[i])
            continue;
        FUZZ_CHECK(args.rest[i] >= copy && args.rest[i] <= copy + length, "rest is elsewhere");
        check_word(args.word[i]);
    }
    check_flags(&args);
    args_done(&args);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    struct input input;
    char *line;
    enum input_result result;

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no file");
    lseek(fd, 0, SEEK_SET);
    input_init(&input, fd);
    while ((result = input_next(&input, &line)) != INPUT_END) {
        if (result == INPUT_MORE)
            FUZZ_CHECK(input_fill(&input) == 0, "no memory");
        else if (result == INPUT_LINE)
            check_line(line);
    }
    input_done(&input);
    close(fd);
    return 0;
}
