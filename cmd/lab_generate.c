/* SPDX-License-Identifier: MIT */

/* weir lab generate NET.json DIR: the files of a network, as the course's generator makes them.
 *
 * All nodes count as ours, so every direction is impaired where it is sent; `weir lab up NET.json` knows
 * whose programs will run and generates accordingly. */

#include <cmd/lab.h>
#include <getopt.h>
#include <stdio.h>

static const char usage_text[] = "usage: weir lab generate [options] NET.json DIR\n" LAB_NET_USAGE;

static int generate(const char *path, const char *dir, const struct net_options *options)
{
    struct net_error error;
    struct net net;
    int result = net_read(path, &net, &error);

    if (!result) {
        result = net_generate(&net, options, dir, &error);
        net_done(&net);
    }
    if (result)
        fprintf(stderr, "weir lab: %s\n", error.text);
    return result ? 1 : 0;
}

int lab_generate(int argc, char **argv)
{
    static const struct option longs[] = {
        LAB_NET_OPTIONS, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct net_options options;
    int option;

    net_options_init(&options);
    while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (option == '?' || lab_net_option(&options, option, optarg))
            return 2;
    }
    if (argc - optind != 2) {
        fputs(usage_text, stderr);
        return 2;
    }
    return generate(argv[optind], argv[optind + 1], &options);
}
