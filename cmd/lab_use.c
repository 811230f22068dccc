/* SPDX-License-Identifier: MIT */

/* weir lab exec, status, down: using a lab that is up.
 *
 * Each finds its lab as lab_find says: --dir, or the only one. `exec` asks the node's control socket and
 * prints what the command prints; its status is the command's, 0 or 1, and 2 if the command did not
 * run. `status` looks at the processes themselves. `down` ends and removes whatever is there, whole or
 * not; without a lab it is an error, but what lies about of dead ones is gone afterwards.
 */

#include <cmd/lab.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <lab/control.h>
#include <lab/net/state.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Options ------------------------------------------------------------------------------------- */

/* They may stand anywhere: what is to be told to a node is one word, or stands behind `--`. */
int lab_use_options(int argc, char **argv, const char *usage, struct lab_use *use)
{
    static const struct option longs[] = {{"dir", required_argument, NULL, 'd'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;

    memset(use, 0, sizeof *use);
    while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == 'd')
            use->dir = optarg;
        else if (option == 'j')
            use->is_json = true;
        else if (option == 'a')
            use->is_all = true;
        else
            return 2;
    }
    use->words = argv + optind;
    use->word_count = argc - optind;
    return -1;
}

int lab_use_find(const struct lab_use *use, struct lab *lab)
{
    struct net_error error;

    if (!lab_find(use->dir, lab, &error))
        return 0;
    fprintf(stderr, "weir lab: %s\n", error.text);
    return -1;
}

const struct lab_node *lab_use_node(const struct lab *lab, const char *name)
{
    const struct lab_node *node = lab_node(lab, name);
    size_t i;

    if (node)
        return node;
    fprintf(stderr, "weir lab: %s has no node \"%.60s\", expected one of:", lab->name, name);
    for (i = 0; i < lab->node_count && i < 40; i++)
        fprintf(stderr, " %s", lab->nodes[i].name);
    fputs(i < lab->node_count ? " …\n" : "\n", stderr);
    return NULL;
}

/* ---- exec ---------------------------------------------------------------------------------------- */

static void print_line(void *argument, const char *line, size_t length)
{
    (void)argument;
    fwrite(line, 1, length, stdout);
    putchar('\n');
}

static int ask(const struct lab *lab, const struct lab_node *node, const char *command)
{
    char path[PATH_MAX];
    int status;

    if (!node->is_ours) {
        fprintf(stderr,
                "weir lab: %s is somebody else's program, which cannot be asked; "
                "see `weir lab attach`\n",
                node->name);
        return 2;
    }
    status = control_ask(lab_path(lab, node->name, ".sock", path), command, print_line, NULL);
    if (fflush(stdout))
        return 2;
    if (status >= 0)
        return status;
    if (status == -EINVAL)
        fprintf(stderr, "weir lab: a command is one line\n");
    else
        fprintf(stderr, "weir lab: %s does not answer: %s\n", node->name,
                status == -ECONNRESET ? "it has ended" : strerror(-status));
    return 2;
}

/* Further words are put behind the first, with blanks between. NULL: no memory. */
static char *join_words(char **words, int count)
{
    size_t length = 1;
    char *text;
    int i;

    for (i = 0; i < count; i++)
        length += strlen(words[i]) + 1;
    text = calloc(1, length);
    for (i = 0; text && i < count; i++) {
        strcat(text, i ? " " : "");
        strcat(text, words[i]);
    }
    return text;
}

int lab_exec(int argc, char **argv)
{
    static const char usage[] = "usage: weir lab exec [--dir DIR] NODE 'COMMAND'\n";
    const struct lab_node *node;
    struct lab_use use;
    struct lab lab;
    char *command;
    int status = lab_use_options(argc, argv, usage, &use);

    if (status >= 0)
        return status;
    if (use.word_count < 2) {
        fputs(usage, stderr);
        return 2;
    }
    if (lab_use_find(&use, &lab))
        return 2;
    node = lab_use_node(&lab, use.words[0]);
    command = join_words(use.words + 1, use.word_count - 1);
    status = node && command ? ask(&lab, node, command) : 2;
    free(command);
    lab_done(&lab);
    return status;
}

/* ---- status -------------------------------------------------------------------------------------- */

/* The program itself, without a sudo before it. */
static const char *program_of(const struct lab_node *node)
{
    return strcmp(node->argv[0], "sudo") == 0 && node->argv[1] ? node->argv[1] : node->argv[0];
}

/* One row a node; returns how many run. */
static size_t print_table(const struct lab *lab)
{
    size_t i, up = 0;

    printf("%s  %s%s\n", lab->name, lab->session[0] ? "tmux " : "detached", lab->session);
    printf("%-12s %-7s %-5s %8s  %s\n", "Node", "Type", "State", "PID", "Program");
    for (i = 0; i < lab->node_count; i++) {
        const struct lab_node *node = &lab->nodes[i];
        pid_t pid = lab_node_pid(lab, node->name);
        char number[16] = "-";

        up += pid > 0;
        if (pid > 0)
            snprintf(number, sizeof number, "%d", (int)pid);
        printf("%-12s %-7s %-5s %8s  %s\n", node->name, node->is_router ? "router" : "host",
               pid > 0 ? "up" : "dead", number, program_of(node));
    }
    return up;
}

static size_t print_json(const struct lab *lab)
{
    json_t *nodes = json_array();
    size_t i, up = 0;
    json_t *root;

    for (i = 0; i < lab->node_count; i++) {
        const struct lab_node *node = &lab->nodes[i];
        pid_t pid = lab_node_pid(lab, node->name);
        char path[PATH_MAX];
        json_t *row = json_pack("{s:s, s:s, s:b, s:s, s:b, s:s}", "name", node->name, "type",
                                node->is_router ? "router" : "host", "up", pid > 0, "program",
                                program_of(node), "ours", node->is_ours, "lnx", node->lnx);

        up += pid > 0;
        if (pid > 0)
            json_object_set_new(row, "pid", json_integer(pid));
        if (node->is_ours)
            json_object_set_new(row, "control",
                                json_string(lab_path(lab, node->name, ".sock", path)));
        if (!lab->session[0])
            json_object_set_new(row, "log", json_string(lab_path(lab, node->name, ".log", path)));
        json_array_append_new(nodes, row);
    }
    root = json_pack("{s:s, s:s, s:s, s:o}", "name", lab->name, "dir", lab->dir, "session",
                     lab->session, "nodes", nodes);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return up;
}

int lab_status(int argc, char **argv)
{
    static const char usage[] = "usage: weir lab status [--dir DIR] [--json]\n"
                                "status: 0 all nodes run, 1 some do not, 2 no lab\n";
    struct lab_use use;
    struct lab lab;
    size_t count, up;
    int status = lab_use_options(argc, argv, usage, &use);

    if (status >= 0)
        return status;
    if (use.word_count > 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (lab_use_find(&use, &lab))
        return 2;
    up = use.is_json ? print_json(&lab) : print_table(&lab);
    count = lab.node_count;
    lab_done(&lab);
    return up == count ? 0 : 1;
}

/* ---- down ---------------------------------------------------------------------------------------- */

/* A lab is called by the directory that its user has named, not by the link to that. */
static int clear(const char *dir)
{
    struct net_error error;
    char path[PATH_MAX];
    const char *name = realpath(dir, path) ? path : dir;
    int count = lab_clear(dir, &error);

    if (count < 0)
        fprintf(stderr, "weir lab: %s\n", error.text);
    else
        printf("%s: down, %d processes were running\n", name, count);
    return count < 0 ? 1 : 0;
}

static void clear_one(void *argument, const char *dir)
{
    int *status = argument;

    if (clear(dir))
        *status = 1;
}

/* What is left of labs that are dead and have no lab.json. */
static void sweep_one(void *argument, const char *dir)
{
    struct net_error *error = argument;

    if (!lab_is_alive(dir))
        lab_clear(dir, error);
}

/* One lab, by its name even if its file cannot be read. */
static int clear_found(const struct lab_use *use)
{
    char dir[PATH_MAX];
    struct lab lab;

    if (use->dir && !lab_is_place(use->dir)) {
        fprintf(stderr, "weir lab: %s: there is no lab\n", use->dir);
        return 1;
    }
    if (use->dir)
        return clear(use->dir);
    if (lab_use_find(use, &lab))
        return 1;
    snprintf(dir, sizeof dir, "%s", lab.dir);
    lab_done(&lab);
    return clear(dir);
}

int lab_down(int argc, char **argv)
{
    static const char usage[] = "usage: weir lab down [--dir DIR | --all]\n";
    struct net_error error;
    struct lab_use use;
    int status = lab_use_options(argc, argv, usage, &use);
    int lock;

    if (status >= 0)
        return status;
    if (use.word_count > 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (use.dir && access(use.dir, F_OK)) {
        fprintf(stderr, "weir lab: %s: %s\n", use.dir, strerror(errno));
        return 1;
    }
    lock = lab_lock(&error);
    if (lock < 0) {
        fprintf(stderr, "weir lab: %s\n", error.text);
        return 1;
    }
    status = 0;
    if (use.is_all) {
        lab_list(clear_one, &status);
        lab_list_rests(clear_one, &status);
    } else {
        status = clear_found(&use);
        lab_list_rests(sweep_one, &error);
    }
    close(lock);
    return status;
}
