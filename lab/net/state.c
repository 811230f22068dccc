/* SPDX-License-Identifier: MIT */

/* Labs on disk: reading, writing, finding.
 *
 * Problem: the program that brings a lab up is gone when others ask for it, several labs may be up at
 * once, any of the programs may be killed at any moment, and the place may be /tmp, which is everybody's.
 *
 * Idea: a lab is a directory, and lab.json in it is written before the first process is started and
 * removed after the last has ended; so whatever was killed, there is a file that leads to the rest, and
 * `up` and `down` clear it. Labs are kept under one directory of the user's; one that lies elsewhere
 * (--dir) has a link there. Files appear by rename. One lock for all labs of a user is held while one
 * is brought up or down; child processes inherit it up to their exec, so whoever gets the lock finds
 * every process in its file.
 *
 *     $XDG_RUNTIME_DIR/weir/          0700; /tmp/weir-UID/ if that is not set
 *         .lock
 *         loop/                       lab.json, r1.pid, r1.sock, r1.log, r1.lnx, …
 *         exam -> /home/me/exam       of `--dir /home/me/exam`
 *
 * lab.json says whether the lab has come up. One that has not, found by who holds the lock, was being made
 * by somebody who is gone.
 *
 * A directory in /tmp is trusted only if it is a directory, ours, and closed to others. Limits: paths of
 * PATH_MAX bytes.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <lab/net/process.h>
#include <lab/net/state.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/error.h>

static int fail(struct net_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct net_error *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error->line = 0;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}

/* Puts two parts together; `path` takes PATH_MAX bytes. Returns it, or NULL if that is too little. */
static char *join(char *path, const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? path : NULL;
}

/* ---- Places -------------------------------------------------------------------------------------- */

int lab_base(char *path, struct net_error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    int length;

    if (runtime && runtime[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/weir", runtime);
    else
        length = snprintf(path, PATH_MAX, "/tmp/weir-%u", (unsigned)getuid());
    if (length >= PATH_MAX - 2 * NET_NAME)
        return fail(error, WEIR_EIO, "XDG_RUNTIME_DIR is too long");
    if (mkdir(path, 0700) && errno != EEXIST)
        return fail(error, WEIR_EIO, "%.300s: %s", path, strerror(errno));
    if (lstat(path, &status))
        return fail(error, WEIR_EIO, "%.300s: %s", path, strerror(errno));
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 0022)
        return fail(error, WEIR_EPERM, "%.300s is not a directory of this user alone", path);
    return 0;
}

int lab_lock(struct net_error *error)
{
    char base[PATH_MAX], path[PATH_MAX];
    int result = lab_base(base, error);
    int fd;

    if (result)
        return result;
    if (!join(path, base, ".lock"))
        return fail(error, WEIR_EIO, "%.300s: the name is too long", base);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) && errno == EINTR)
        ;
    return fd >= 0 ? fd : fail(error, WEIR_EIO, "%.300s: %s", path, strerror(errno));
}

const char *lab_path(const struct lab *lab, const char *node, const char *suffix, char *path)
{
    if (snprintf(path, PATH_MAX, "%s/%s%s", lab->dir, node, suffix) >= PATH_MAX)
        path[0] = '\0'; /* which no call takes */
    return path;
}

/* ---- Writing ------------------------------------------------------------------------------------- */

static json_t *words_of(char *const *argv)
{
    json_t *array = json_array();

    for (; *argv; argv++)
        json_array_append_new(array, json_string(*argv));
    return array;
}

static json_t *json_of(const struct lab *lab)
{
    json_t *nodes = json_array();
    size_t i;

    for (i = 0; i < lab->node_count; i++) {
        const struct lab_node *node = &lab->nodes[i];

        json_array_append_new(nodes, json_pack("{s:s, s:b, s:b, s:s, s:o}", "name", node->name,
                                               "router", node->is_router, "ours", node->is_ours,
                                               "lnx", node->lnx, "argv", words_of(node->argv)));
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o}", "name", lab->name, "cwd", lab->cwd,
                     "session", lab->session, "generated", lab->is_generated, "complete",
                     lab->is_complete, "nodes", nodes);
}

int lab_save(const struct lab *lab, struct net_error *error)
{
    char path[PATH_MAX], other[PATH_MAX];
    json_t *root = json_of(lab);
    int result = 0;

    if (!root)
        return fail(error, WEIR_EINVAL, "%.300s: a name is not UTF-8, or memory is short",
                    lab->dir);
    if (!join(path, lab->dir, LAB_FILE) || !join(other, lab->dir, LAB_FILE ".new"))
        result = fail(error, WEIR_EIO, "%.300s: the name is too long", lab->dir);
    else if (json_dump_file(root, other, JSON_INDENT(2)) || rename(other, path))
        result = fail(error, WEIR_EIO, "%.300s: %s", path, strerror(errno));
    json_decref(root);
    return result;
}

int lab_register(const struct lab *lab, struct net_error *error)
{
    char base[PATH_MAX], path[PATH_MAX], target[PATH_MAX], name[NET_NAME + 16];
    int result = lab_base(base, error);
    unsigned number;

    if (result)
        return result;
    if (strncmp(lab->dir, base, strlen(base)) == 0 && lab->dir[strlen(base)] == '/' &&
        !strchr(lab->dir + strlen(base) + 1, '/'))
        return 0;
    for (number = 1; number < 1000; number++) {
        snprintf(name, sizeof name, number > 1 ? "%s-%u" : "%s", lab->name, number);
        if (!join(path, base, name))
            break;
        if (realpath(path, target) && strcmp(target, lab->dir) == 0)
            return 0;
        if (symlink(lab->dir, path) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return fail(error, WEIR_EIO, "%.200s: cannot be noted in %.200s: %s", lab->dir, base,
                strerror(errno));
}

/* ---- Reading ------------------------------------------------------------------------------------- */

static bool take_text(json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value && snprintf(text, size, "%s", value) < (int)size;
}

static bool take_words(json_t *array, struct lab_node *node)
{
    size_t i, count = json_array_size(array);

    node->argv = count ? calloc(count + 1, sizeof *node->argv) : NULL;
    for (i = 0; node->argv && i < count; i++) {
        const char *word = json_string_value(json_array_get(array, i));

        node->argv[i] = word ? strdup(word) : NULL;
        if (!node->argv[i])
            return false;
    }
    return node->argv != NULL;
}

static bool take_node(json_t *object, struct lab_node *node)
{
    const char *lnx = json_string_value(json_object_get(object, "lnx"));

    node->lnx = lnx ? strdup(lnx) : NULL;
    node->is_router = json_is_true(json_object_get(object, "router"));
    node->is_ours = json_is_true(json_object_get(object, "ours"));
    return node->lnx && take_text(object, "name", node->name, sizeof node->name) &&
           net_is_name(node->name) && take_words(json_object_get(object, "argv"), node);
}

static bool take_lab(json_t *root, struct lab *lab)
{
    json_t *nodes = json_object_get(root, "nodes");
    size_t i, count = json_array_size(nodes);

    lab->is_generated = json_is_true(json_object_get(root, "generated"));
    lab->is_complete = json_is_true(json_object_get(root, "complete"));
    lab->nodes = count && count <= NET_NODES_MAX ? calloc(count, sizeof *lab->nodes) : NULL;
    if (!lab->nodes || !take_text(root, "name", lab->name, sizeof lab->name) ||
        !take_text(root, "cwd", lab->cwd, sizeof lab->cwd) ||
        !take_text(root, "session", lab->session, sizeof lab->session))
        return false;
    for (i = 0; i < count; i++, lab->node_count++) {
        if (!take_node(json_array_get(nodes, i), &lab->nodes[i])) {
            lab->node_count++;
            return false;
        }
    }
    return true;
}

int lab_load(const char *dir, struct lab *lab, struct net_error *error)
{
    char path[PATH_MAX];
    json_error_t fault;
    json_t *root;
    bool is_good;

    memset(lab, 0, sizeof *lab);
    if (!realpath(dir, lab->dir))
        return fail(error, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO, "%.300s: %s", dir,
                    strerror(errno));
    if (!join(path, lab->dir, LAB_FILE))
        return fail(error, WEIR_EIO, "%.300s: the name is too long", dir);
    if (access(path, R_OK))
        return fail(error, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO, "%.300s: there is no lab: %s",
                    dir, strerror(errno));
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &fault);
    is_good = root && take_lab(root, lab);
    json_decref(root);
    if (is_good)
        return 0;
    lab_done(lab);
    return fail(error, WEIR_EINVAL, "%.300s: this is not what a lab has written", path);
}

void lab_done(struct lab *lab)
{
    size_t i;

    for (i = 0; i < lab->node_count; i++) {
        char **word = lab->nodes[i].argv;

        for (; word && *word; word++)
            free(*word);
        free(lab->nodes[i].argv);
        free(lab->nodes[i].lnx);
    }
    free(lab->nodes);
    lab->nodes = NULL;
    lab->node_count = 0;
}

const struct lab_node *lab_node(const struct lab *lab, const char *name)
{
    size_t i;

    for (i = 0; i < lab->node_count; i++)
        if (strcmp(lab->nodes[i].name, name) == 0)
            return &lab->nodes[i];
    return NULL;
}

pid_t lab_node_pid(const struct lab *lab, const char *node)
{
    char path[PATH_MAX];
    pid_t pid = 0;
    int fd = process_open(lab_path(lab, node, ".pid", path), &pid);

    if (fd >= 0)
        close(fd);
    return pid;
}

/* ---- Whose a directory is ------------------------------------------------------------------------ */

struct place {
    const char *path;
    bool is_found;
};

static void compare(void *argument, const char *dir)
{
    struct place *place = argument;
    char whole[PATH_MAX];

    if (realpath(dir, whole) && strcmp(whole, place->path) == 0)
        place->is_found = true;
}

bool lab_is_place(const char *dir)
{
    char path[PATH_MAX];
    struct place place = {path, false};
    struct net_error error;
    struct lab lab;

    if (!realpath(dir, path))
        return false;
    if (lab_load(path, &lab, &error) == 0) {
        lab_done(&lab);
        return true;
    }
    lab_list(compare, &place);
    lab_list_rests(compare, &place);
    return place.is_found;
}

static int check_free(const char *path, struct net_error *error)
{
    struct stat status;

    if (lstat(path, &status))
        return 0;
    return fail(error, WEIR_EPERM, "%.300s is in the way, and no lab has made it", path);
}

int lab_check_place(const struct lab *lab, struct net_error *error)
{
    static const char *const suffixes[] = {".pid", ".sock", ".log", ".in"};
    char path[PATH_MAX];
    size_t i, j;
    int result = join(path, lab->dir, LAB_FILE) ? check_free(path, error) : 0;

    for (i = 0; i < lab->node_count; i++)
        for (j = 0; j < sizeof suffixes / sizeof suffixes[0] && !result; j++)
            result = check_free(lab_path(lab, lab->nodes[i].name, suffixes[j], path), error);
    return result;
}

/* ---- Finding ------------------------------------------------------------------------------------- */

bool lab_is_going(const struct lab *lab)
{
    char path[PATH_MAX];

    return !join(path, lab->dir, LAB_FILE) || access(path, F_OK) ||
           !join(path, lab->dir, LAB_DOWN) || access(path, F_OK) == 0;
}

bool lab_is_alive(const char *dir)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;
    char path[PATH_MAX];
    int fd = -1;

    while (stream && fd < 0 && (entry = readdir(stream))) {
        size_t length = strlen(entry->d_name);
        pid_t pid;

        if (length > 4 && strcmp(entry->d_name + length - 4, ".pid") == 0 &&
            join(path, dir, entry->d_name))
            fd = process_open(path, &pid);
    }
    if (fd >= 0)
        close(fd);
    if (stream)
        closedir(stream);
    return fd >= 0;
}

/* What is kept, with a lab.json or without one. */
static void list(lab_fn *fn, void *argument, bool has_file)
{
    char base[PATH_MAX], path[PATH_MAX], file[PATH_MAX];
    struct dirent **entries;
    struct net_error error;
    int count, i;

    count = lab_base(base, &error) ? 0 : scandir(base, &entries, NULL, alphasort);
    for (i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' && join(path, base, entries[i]->d_name) &&
            join(file, path, LAB_FILE) && (access(file, F_OK) == 0) == has_file)
            fn(argument, path);
        free(entries[i]);
    }
    if (count > 0)
        free(entries);
}

void lab_list(lab_fn *fn, void *argument)
{
    list(fn, argument, true);
}

void lab_list_rests(lab_fn *fn, void *argument)
{
    list(fn, argument, false);
}

struct search {
    char dir[PATH_MAX]; /* of the last that was found */
    char live[PATH_MAX];
    unsigned count, live_count;
    char names[NET_ERROR_TEXT / 2];
};

static void note(void *argument, const char *dir)
{
    struct search *search = argument;
    size_t used = strlen(search->names);
    bool is_alive = lab_is_alive(dir);
    char path[PATH_MAX];

    search->count++;
    snprintf(search->dir, sizeof search->dir, "%s", dir);
    if (is_alive && ++search->live_count)
        snprintf(search->live, sizeof search->live, "%s", dir);
    snprintf(search->names + used, sizeof search->names - used, "%s %s%s", used ? "," : "",
             realpath(dir, path) ? path : dir, is_alive ? "" : " (dead)");
}

int lab_find(const char *dir, struct lab *lab, struct net_error *error)
{
    struct search search;

    if (dir)
        return lab_load(dir, lab, error);
    memset(&search, 0, sizeof search);
    lab_list(note, &search);
    if (search.count == 1)
        return lab_load(search.dir, lab, error);
    if (search.live_count == 1)
        return lab_load(search.live, lab, error);
    memset(lab, 0, sizeof *lab);
    if (search.count == 0)
        return fail(error, WEIR_ENOENT, "no lab is up");
    return fail(error, WEIR_EINVAL, "several labs are up, choose one with --dir:%s", search.names);
}
