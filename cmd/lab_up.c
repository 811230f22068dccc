/* SPDX-License-Identifier: MIT */

/* weir lab up NET.json|DIR: brings a network up, and weir lab pane, what a pane of tmux runs.
 *
 * In order, under the lock of this user's labs: what is left of an earlier lab in the same place is
 * cleared (one that has come up and still runs is an error; one that runs and has not is what a killed
 * `up` left); the plan is made (nodes, programs, ports), which tells
 * whatever can be known to be wrong before anything is started; lab.json is written; the files are
 * generated, if it was a description; the nodes are started and waited for. If that fails all of it is
 * taken down again.
 *
 * The lab's directory is --dir, or NAME where labs are kept; NAME is that of the description or of the
 * directory of files. A directory given for a description must be empty, since everything in it will
 * be the lab's own. If somebody takes one of the chosen ports before its node does, others are chosen,
 * TRIES_MAX times in all.
 */

#include <cmd/lab.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <lab/net/launch.h>
#include <lab/net/plan.h>
#include <lab/net/tmux.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: weir lab up [options] NET.json|DIR [-- WORDS…]\n"
    "  --detach              nodes without a terminal, not in panes of tmux\n"
    "  --dir DIR             where the lab keeps its files and sockets\n"
    "  --host H --router R   the programs of all hosts and all routers\n"
    "  --bin-dir DIR         where vhost and vrouter lie (beside weir)\n"
    "  --bin-config JSON     a program node by node: {NODE: {\"binary_path\": …}}\n"
    "  --clean               take all labs, and sessions of tmux called vnet-…, down first\n"
    "  --verbose             tell what is run\n"
    "words behind -- go to every node; of a description, as with generate:\n" LAB_NET_USAGE;

enum { UP_DIR = 1, UP_HOST, UP_ROUTER, UP_BIN_DIR, UP_BIN_CONFIG, UP_CLEAN, UP_VERBOSE, UP_DETACH };

#define TRIES_MAX 5

struct up {
    struct lab lab;
    struct net net; /* of a description */
    struct lab_choice choice;
    struct net_options options;
    struct net_error error;
    const char *source, *dir;
    bool has_port, is_clean, is_verbose, is_detached, is_net;
};

static int complain(struct up *up)
{
    fprintf(stderr, "weir lab: %s\n", up->error.text);
    return 1;
}

/* ---- The place ----------------------------------------------------------------------------------- */

/* The lab's name: the last part of the source's, without `.json`. */
static int choose_name(struct up *up)
{
    char whole[PATH_MAX];
    const char *name;
    size_t length;

    if (!realpath(up->source, whole)) {
        snprintf(up->error.text, sizeof up->error.text, "%.300s: %s", up->source, strerror(errno));
        return -1;
    }
    name = strrchr(whole, '/') + 1;
    length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".json") == 0)
        length -= 5;
    snprintf(up->lab.name, sizeof up->lab.name, "%.*s", (int)length, name);
    if (net_is_name(up->lab.name))
        return 0;
    strcpy(up->lab.name, "lab");
    return 0;
}

static void clear_one(void *argument, const char *dir)
{
    struct up *up = argument;

    if (lab_clear(dir, &up->error) < 0)
        complain(up);
}

static bool is_empty(const char *dir)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;
    bool is_empty = stream != NULL;

    while (stream && (entry = readdir(stream)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_empty = false;
    if (stream)
        closedir(stream);
    return is_empty;
}

/* Whether a lab there runs that has come up. We hold the lock, so nobody is making one. */
static bool is_up(const char *path)
{
    struct net_error unread;
    bool is_complete;
    struct lab lab;

    if (!lab_is_alive(path))
        return false;
    is_complete = lab_load(path, &lab, &unread) != 0 || lab.is_complete;
    lab_done(&lab);
    return is_complete;
}

/* Makes the directory ours: what is left there is cleared, what runs there is in the way. */
static int take_place(struct up *up)
{
    char base[PATH_MAX], path[PATH_MAX];

    if (lab_base(base, &up->error))
        return -1;
    if (snprintf(path, sizeof path, "%s%s%s", up->dir ? "" : base, up->dir ? "" : "/",
                 up->dir ? up->dir : up->lab.name) >= (int)sizeof path) {
        snprintf(up->error.text, sizeof up->error.text, "the name of the directory is too long");
        return -1;
    }
    if (lab_is_place(path) && is_up(path)) {
        snprintf(up->error.text, sizeof up->error.text,
                 "%s is up already; `weir lab down --dir %.200s`, or choose another --dir",
                 up->lab.name, path);
        return -1;
    }
    if (lab_clear(path, &up->error) < 0)
        return -1;
    if ((mkdir(path, 0700) && errno != EEXIST) || !realpath(path, up->lab.dir)) {
        snprintf(up->error.text, sizeof up->error.text, "%.300s: %s", path, strerror(errno));
        return -1;
    }
    if (!up->is_net || is_empty(up->lab.dir))
        return 0;
    snprintf(up->error.text, sizeof up->error.text, "%.300s is not empty, and no lab is there",
             path);
    return -1;
}

/* ---- The plan ------------------------------------------------------------------------------------ */

static int plan_net(struct up *up)
{
    size_t i;

    if (plan_from_net(&up->lab, &up->net, &up->error) ||
        plan_programs(&up->lab, &up->choice, &up->error) ||
        plan_ports(&up->options.base_port, up->net.link_count, up->has_port, &up->error))
        return -1;
    for (i = 0; i < up->net.node_count; i++)
        up->net.nodes[i].is_foreign = !up->lab.nodes[i].is_ours;
    up->lab.is_generated = true;
    return 0;
}

static int plan(struct up *up)
{
    if (!getcwd(up->lab.cwd, sizeof up->lab.cwd)) {
        snprintf(up->error.text, sizeof up->error.text, "the present directory is gone");
        return -1;
    }
    if (!up->is_detached && tmux_choose(up->lab.name, up->lab.session, &up->error))
        return -1;
    if (up->is_net)
        return plan_net(up);
    if (plan_from_dir(&up->lab, up->source, &up->error) || lab_check_place(&up->lab, &up->error) ||
        plan_programs(&up->lab, &up->choice, &up->error))
        return -1;
    return plan_check_files(&up->lab, &up->error);
}

/* ---- The deed ------------------------------------------------------------------------------------ */

static int start(struct up *up)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    program[length > 0 ? length : 0] = '\0';
    up->lab.is_complete = false;
    if (lab_register(&up->lab, &up->error) || lab_save(&up->lab, &up->error))
        return -1;
    if (up->is_net && net_generate(&up->net, &up->options, up->lab.dir, &up->error))
        return -1;
    if (lab_launch(&up->lab, program, up->is_verbose, &up->error))
        return -1;
    up->lab.is_complete = true;
    return lab_save(&up->lab, &up->error);
}

/* Whether it was the ports: somebody has taken one since they were chosen (who may have gone again, as we
 * have). Then others are chosen, and each process chooses differently. */
static bool move_ports(struct up *up)
{
    unsigned base = up->options.base_port;
    struct net_error ignored;

    if (!up->is_net || up->has_port || plan_ports(&base, up->net.link_count, false, &ignored) ||
        (base == up->options.base_port && !strstr(up->error.text, "cannot bind UDP address")))
        return false;
    base = up->options.base_port + up->net.link_count * (1 + (unsigned)getpid() % 16);
    if (plan_ports(&base, up->net.link_count, false, &ignored))
        return false;
    up->options.base_port = base;
    return true;
}

/* Starts the lab, again on other ports if that was why it did not come up. Nothing is left of one that
 * does not. */
static int start_somewhere(struct up *up)
{
    struct net_error ignored;
    unsigned tries;

    for (tries = 1; start(up); tries++) {
        lab_clear(up->lab.dir, &ignored);
        if (tries == TRIES_MAX || !move_ports(up) || (mkdir(up->lab.dir, 0700) && errno != EEXIST))
            return -1;
    }
    return 0;
}

static void tell(const struct up *up)
{
    unsigned unimpaired = net_count_unimpaired(&up->net, &up->options);

    if (unimpaired)
        fprintf(stderr,
                "weir lab: %u directions between somebody else's programs stay unimpaired\n",
                unimpaired);
    printf("%s: %zu nodes are up in %s\n", up->lab.name, up->lab.node_count, up->lab.dir);
    fflush(stdout);
}

/* Under the lock. */
static int bring_up(struct up *up)
{
    struct net_error ignored;

    if (up->is_clean) {
        lab_list(clear_one, up);
        lab_list_rests(clear_one, up);
        tmux_kill_all();
    }
    if (up->is_net && net_read(up->source, &up->net, &up->error))
        return complain(up);
    if (choose_name(up) || take_place(up))
        return complain(up);
    if (plan(up) || start_somewhere(up)) {
        complain(up);
        lab_clear(up->lab.dir, &ignored);
        (void)rmdir(up->lab.dir); /* if no lab was there yet */
        return 1;
    }
    tell(up);
    return 0;
}

static int run(struct up *up)
{
    struct stat status;
    int lock, result;

    up->is_net = stat(up->source, &status) != 0 || !S_ISDIR(status.st_mode);
    lock = lab_lock(&up->error);
    if (lock < 0)
        return complain(up);
    result = bring_up(up);
    close(lock);
    if (!result && up->lab.session[0]) {
        if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
            return tmux_attach(&up->lab, NULL) ? 1 : 0;
        printf("its panes: tmux attach-session -t =%s\n", up->lab.session);
    }
    return result;
}

static int take_option(struct up *up, int option, const char *value)
{
    switch (option) {
    case UP_DIR:
        up->dir = value;
        return 0;
    case UP_HOST:
        up->choice.host = value;
        return 0;
    case UP_ROUTER:
        up->choice.router = value;
        return 0;
    case UP_BIN_DIR:
        up->choice.bin_dir = value;
        return 0;
    case UP_BIN_CONFIG:
        up->choice.bin_config = value;
        return 0;
    case UP_CLEAN:
        up->is_clean = true;
        return 0;
    case UP_VERBOSE:
        up->is_verbose = true;
        return 0;
    case UP_DETACH:
        up->is_detached = true;
        return 0;
    case LAB_BASE_PORT:
        up->has_port = true;
        break;
    default:
        break;
    }
    return lab_net_option(&up->options, option, value);
}

static int wrong_usage(const char *what)
{
    if (what)
        fprintf(stderr, "weir lab: %s\n", what);
    fputs(usage_text, stderr);
    return 2;
}

int lab_up(int argc, char **argv)
{
    static const struct option longs[] = {{"dir", required_argument, NULL, UP_DIR},
                                          {"host", required_argument, NULL, UP_HOST},
                                          {"router", required_argument, NULL, UP_ROUTER},
                                          {"bin-dir", required_argument, NULL, UP_BIN_DIR},
                                          {"bin-config", required_argument, NULL, UP_BIN_CONFIG},
                                          {"clean", no_argument, NULL, UP_CLEAN},
                                          {"verbose", no_argument, NULL, UP_VERBOSE},
                                          {"detach", no_argument, NULL, UP_DETACH},
                                          LAB_NET_OPTIONS,
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct up up;
    int option, result;

    memset(&up, 0, sizeof up);
    net_options_init(&up.options);
    while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (option == '?' || take_option(&up, option, optarg))
            return 2;
    }
    if (optind >= argc)
        return wrong_usage(NULL);
    if (!up.choice.host != !up.choice.router)
        return wrong_usage("--host and --router come together");
    if ((up.choice.host != NULL) + (up.choice.bin_dir != NULL) + (up.choice.bin_config != NULL) > 1)
        return wrong_usage("expected one of --host and --router, --bin-dir, --bin-config");
    up.source = argv[optind];
    up.choice.extra = argv + optind + 1;
    result = run(&up);
    lab_done(&up.lab);
    net_done(&up.net);
    return result;
}

int lab_pane(int argc, char **argv)
{
    const struct lab_node *node;
    struct net_error error;
    struct lab lab;

    if (argc != 3)
        return 2;
    if (lab_load(argv[1], &lab, &error)) {
        fprintf(stderr, "weir lab: %s\n", error.text);
        return 1;
    }
    node = lab_node(&lab, argv[2]);
    return node ? lab_run_pane(&lab, node) : 2;
}
