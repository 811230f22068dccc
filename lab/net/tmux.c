/* SPDX-License-Identifier: MIT */

/* The form of the course's runner: a session of tmux with a pane a node, tiled, with the nodes' names on
 * the borders.
 *
 * tmux is run as a program, a process a node: each call splits the last pane, names the new one and
 * lays all of them out again, so that there is always room for the next (tmux refuses to split a pane
 * of two lines). A session that nobody looks at has a size of its own, and it is large: WIDTH × HEIGHT
 * characters take some hundreds of panes. If a window is full all the same, a further one is opened.
 *
 * A session belongs to a lab if its option @weir_dir is the lab's directory: names come again, and a
 * session is only ended by who has made it. The option is set by the very call that makes the session,
 * so whoever is killed and when, there is none that nobody can clear. A pane carries its node in @weir_node, since titles can be
 * changed by whatever runs in it. What runs in a pane is `weir lab pane DIR NODE`, which starts the node,
 * and leaves a shell when it ends.
 *
 * tmux's own words on errors are ours: they go to stderr but for questions whose answer may be no.
 */

#include <errno.h>
#include <fcntl.h>
#include <lab/net/tmux.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/error.h>

#define WIDTH "480"
#define HEIGHT "240"
#define SESSION_PREFIX "vnet-"
#define OUTPUT_MAX 65536

/* ---- Running tmux -------------------------------------------------------------------------------- */

/* Words for calls that take them as if they would write into them, which they do not. */
union words {
    const char *const *given;
    char *const *taken;
};

/* Runs argv, with its output to `out` (or nowhere: -1) and, if `quiet`, without its errors. Returns its
 * status, or -1 with errno if it cannot be run. */
static int spawn(const char *const *argv, int out, bool quiet)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status, result;

    posix_spawn_file_actions_init(&actions);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    result = posix_spawnp(&pid, argv[0], &actions, NULL, (union words){argv}.taken, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result) {
        errno = result;
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Runs argv and reads what it prints, up to OUTPUT_MAX - 1 bytes, into `text`. Returns its status. */
static int ask(const char *const *argv, char *text)
{
    FILE *file = tmpfile();
    size_t length = 0;
    int status;

    if (!file)
        return -1;
    status = spawn(argv, fileno(file), true);
    rewind(file);
    length = fread(text, 1, OUTPUT_MAX - 1, file);
    text[length] = '\0';
    fclose(file);
    return status;
}

#define WORDS(...) ((const char *const[]){"tmux", __VA_ARGS__, NULL})

/* "=NAME:" means this session and no other that begins so. */
static const char *target(const char *session, char *text, size_t size)
{
    snprintf(text, size, "=%s:", session);
    return text;
}

static void tell(const char *const *argv)
{
    for (; *argv; argv++)
        fprintf(stderr, "%s%s", *argv, argv[1] ? " " : "\n");
}

/* ---- Sessions ------------------------------------------------------------------------------------ */

int tmux_choose(const char *name, char *session, struct net_error *error)
{
    char text[LAB_SESSION + 8];
    unsigned number;
    int status;
    char *at;

    for (number = 1; number < 1000; number++) {
        snprintf(session, LAB_SESSION, number > 1 ? SESSION_PREFIX "%s-%u" : SESSION_PREFIX "%s",
                 name, number);
        for (at = session; *at; at++)
            if (*at == '.' || *at == ':') /* which tmux would change */
                *at = '_';
        target(session, text, sizeof text);
        status = spawn(WORDS("has-session", "-t", text), -1, true);
        if (status < 0) {
            snprintf(error->text, sizeof error->text, "tmux: %s; without it there is --detach",
                     strerror(errno));
            return WEIR_ENOENT;
        }
        if (status != 0)
            return 0;
    }
    snprintf(error->text, sizeof error->text, "tmux has too many sessions for %s", name);
    return WEIR_EIO;
}

/* What a pane runs, and what it is called: the words of one call of tmux. `begin` (closed by NULL) makes
 * the pane. */
static int make_pane(const struct lab *lab, const struct lab_node *node, const char *program,
                     const char *const *begin, bool verbose)
{
    const char *words[64];
    char where[LAB_SESSION + 8];
    size_t count = 0;
    const char *rest[] = {"-c",
                          lab->cwd,
                          "--",
                          program,
                          "lab",
                          "pane",
                          lab->dir,
                          node->name,
                          ";",
                          "set-option",
                          "-t",
                          where,
                          "@weir_dir",
                          lab->dir,
                          ";",
                          "set-option",
                          "-p",
                          "-t",
                          where,
                          "@weir_node",
                          node->name,
                          ";",
                          "select-pane",
                          "-t",
                          where,
                          "-T",
                          node->name,
                          ";",
                          "select-layout",
                          "-t",
                          where,
                          "tiled",
                          NULL};
    size_t i;

    target(lab->session, where, sizeof where);
    words[count++] = "tmux";
    for (i = 0; begin[i]; i++)
        words[count++] = begin[i];
    for (i = 0; rest[i]; i++)
        words[count++] = rest[i];
    words[count] = NULL;
    if (verbose)
        tell(words);
    return spawn(words, -1, false);
}

static int make_session(const struct lab *lab, const char *program, bool verbose)
{
    const char *begin[] = {"new-session", "-d", "-s",   lab->session, "-x",
                           WIDTH,         "-y", HEIGHT, NULL};
    char where[LAB_SESSION + 8];
    const char *options[] = {
        "tmux", "set-option", "-t", where, "pane-border-status", "top",
        ";",    "set-option", "-t", where, "pane-border-format", " #{@weir_node} ",
        NULL};
    int status = make_pane(lab, &lab->nodes[0], program, begin, verbose);

    if (status)
        return status;
    target(lab->session, where, sizeof where);
    if (verbose)
        tell(options);
    return spawn(options, -1, false);
}

/* A pane beside the others, or, if the window is full, in a new one. */
static int add_pane(const struct lab *lab, const struct lab_node *node, const char *program,
                    bool verbose)
{
    char where[LAB_SESSION + 8];
    const char *split[] = {"split-window", "-t", where, NULL};
    const char *window[] = {"new-window", "-t", where, NULL};
    int status;

    target(lab->session, where, sizeof where);
    status = make_pane(lab, node, program, split, verbose);
    return status ? make_pane(lab, node, program, window, verbose) : 0;
}

int tmux_start(const struct lab *lab, const char *program, bool verbose, struct net_error *error)
{
    int status = make_session(lab, program, verbose);
    size_t i;

    for (i = 1; i < lab->node_count && status == 0; i++)
        status = add_pane(lab, &lab->nodes[i], program, verbose);
    if (status == 0)
        return 0;
    snprintf(error->text, sizeof error->text, "tmux cannot make the session %s", lab->session);
    return WEIR_EIO;
}

void tmux_kill(const char *session, const char *dir)
{
    char text[OUTPUT_MAX], where[LAB_SESSION + 8];

    target(session, where, sizeof where);
    if (ask(WORDS("show-options", "-v", "-t", where, "@weir_dir"), text))
        return;
    text[strcspn(text, "\n")] = '\0';
    if (strcmp(text, dir) != 0)
        return;
    (void)spawn(WORDS("kill-session", "-t", where), -1, true);
}

void tmux_kill_all(void)
{
    char text[OUTPUT_MAX], where[LAB_SESSION + 8];
    char *name, *rest;

    if (ask(WORDS("list-sessions", "-F", "#{session_name}"), text))
        return;
    for (name = strtok_r(text, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(name, SESSION_PREFIX, strlen(SESSION_PREFIX)) != 0)
            continue;
        target(name, where, sizeof where);
        (void)spawn(WORDS("kill-session", "-t", where), -1, true);
    }
}

/* ---- Looking at it ------------------------------------------------------------------------------- */

/* The identifier of the pane that runs `node`; false: there is none. */
static bool find_pane(const struct lab *lab, const char *node, char *pane, size_t size)
{
    char text[OUTPUT_MAX], where[LAB_SESSION + 8];
    char *line, *rest;

    target(lab->session, where, sizeof where);
    if (ask(WORDS("list-panes", "-s", "-t", where, "-F", "#{pane_id} #{@weir_node}"), text))
        return false;
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *blank = strchr(line, ' ');

        if (!blank || strcmp(blank + 1, node) != 0)
            continue;
        snprintf(pane, size, "%.*s", (int)(blank - line), line);
        return true;
    }
    return false;
}

void tmux_first_line(const struct lab *lab, const char *node, char *text, size_t size)
{
    char pane[64], shown[OUTPUT_MAX];
    char *line, *rest;

    text[0] = '\0';
    if (!find_pane(lab, node, pane, sizeof pane) ||
        ask(WORDS("capture-pane", "-p", "-J", "-t", pane), shown))
        return;
    line = strtok_r(shown, "\n", &rest);
    if (line)
        snprintf(text, size, "%s", line);
}

int tmux_attach(const struct lab *lab, const char *node)
{
    char pane[64], where[LAB_SESSION + 8];
    const char *verb = getenv("TMUX") ? "switch-client" : "attach-session";

    target(lab->session, where, sizeof where);
    if (node && find_pane(lab, node, pane, sizeof pane))
        (void)spawn(WORDS("select-window", "-t", pane, ";", "select-pane", "-t", pane), -1, true);
    execvp("tmux", (union words){WORDS(verb, "-t", where)}.taken);
    return -1;
}
