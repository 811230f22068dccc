/* SPDX-License-Identifier: MIT */

/* weir lab: a row a verb below `lab`, each in a file cmd/lab_*.c. What they share, the files and the
 * directories of a lab, lies in lab/net. */

#include <cmd/lab.h>
#include <cmd/verbs.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"generate", lab_generate, "make the files of a network out of its description"},
    {"up", lab_up, "bring a network up"},
    {"attach", lab_attach, "type at a node"},
    {"exec", lab_exec, "run one command at a node"},
    {"status", lab_status, "tell which nodes run"},
    {"down", lab_down, "end a lab"},
    {"pane", lab_pane, NULL},
};

static int usage(FILE *to, int status)
{
    size_t i;

    fprintf(to, "usage: weir lab VERB …; `weir lab VERB --help` says more\n");
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (verbs[i].help)
            fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    return status;
}

int verb_lab(int argc, char **argv)
{
    char name[64];
    size_t i;

    if (argc < 2)
        return usage(stderr, 2);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout, 0);
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            snprintf(name, sizeof name, "weir lab %s", argv[1]);
            argv[1] = name; /* in what getopt says */
            return verbs[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "weir lab: no verb `%s`\n", argv[1]);
    return usage(stderr, 2);
}
