/* SPDX-License-Identifier: MIT */

/* weir: one program, a verb for each thing it can do. The verbs are rows of a table, a file each. */

#include <cmd/verbs.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"drill", verb_drill, "run packet scripts against a stack in virtual time"},
    {"extcap", verb_extcap, "let Wireshark capture the nodes of running labs"},
    {"lab", verb_lab, "bring a network of nodes up from one file, and use it"},
    {"perf", verb_perf, "measure throughput and latency between two nodes"},
};

static int usage(FILE *to, int status)
{
    size_t i;

    fprintf(to, "usage: weir VERB …; `weir VERB --help` says more\n");
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    return status;
}

int main(int argc, char **argv)
{
    size_t i;

    if (argc < 2)
        return usage(stderr, 2);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout, 0);
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (!strcmp(argv[1], verbs[i].name))
            return verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "weir: no verb `%s`\n", argv[1]);
    return usage(stderr, 2);
}
