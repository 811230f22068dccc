/* SPDX-License-Identifier: MIT */

/* Whose programs run a lab's nodes.
 *
 * As with the course's runner a program is named for all hosts and all routers, or by the directory in
 * which vhost and vrouter lie (ours, if nothing is said), or node by node in a file:
 *
 *     {"r1": {"binary_path": "./vrouter_theirs", "extra_args": ["-v"], "sudo": false,
 *             "skip_config": false}, …}
 *
 * Nodes that the file does not name get ours. A path with a slash is taken from the present directory;
 * a bare name is looked for in the directory of programs. If none is named that is the one where this
 * program lies, and then here and PATH are tried, too; a named one has the program, or it is an error.
 *
 * A program of ours listens on a control socket, and impairs what it sends; others are never told of
 * either, since a flag that a program does not know may end it. To tell which is which nothing is run:
 * ours carry CONTROL_MARK, the answer to `.hello`, in their file. A script that runs one of ours can
 * say so with "weir": true.
 *
 * Limits: WORDS_MAX words a command.
 */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <lab/control.h>
#include <lab/net/plan.h>
#include <lab/net/where.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/error.h>

#define WORDS_MAX 128

/* A command that is being put together. */
struct words {
    char *word[WORDS_MAX + 1];
    size_t count;
    bool is_bad; /* too many, or no memory */
};

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

static void add(struct words *words, const char *text)
{
    char *copy = words->count < WORDS_MAX ? strdup(text) : NULL;

    words->is_bad = words->is_bad || !copy;
    if (copy)
        words->word[words->count++] = copy;
}

bool plan_is_ours(const char *program)
{
    int fd = open(program, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool has_mark = false;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        size_t size = (size_t)status.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (bytes != MAP_FAILED) {
            has_mark = memmem(bytes, size, CONTROL_MARK, strlen(CONTROL_MARK)) != NULL;
            munmap(bytes, size);
        }
    }
    if (fd >= 0)
        close(fd);
    return has_mark;
}

/* ---- Finding a program --------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The directory in which this very program lies. */
static bool own_dir(char *path)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    char *slash;

    if (length <= 0)
        return false;
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

/* Tries DIR/NAME. */
static bool try_dir(const char *dir, size_t length, const char *name, char *path)
{
    char text[PATH_MAX];

    return snprintf(text, sizeof text, "%.*s/%s", (int)length, dir, name) < (int)sizeof text &&
           is_program(text) && realpath(text, path);
}

/* The absolute path of a program; false: there is none. */
static bool find_program(const char *name, const char *bin_dir, char *path)
{
    const char *at = getenv("PATH");
    char own[PATH_MAX];

    if (strchr(name, '/'))
        return is_program(name) && realpath(name, path);
    if (bin_dir)
        return try_dir(bin_dir, strlen(bin_dir), name, path);
    if (own_dir(own) && try_dir(own, strlen(own), name, path))
        return true;
    if (try_dir(".", 1, name, path))
        return true;
    while (at && *at) {
        size_t length = strcspn(at, ":");

        if (length && try_dir(at, length, name, path))
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* ---- A node's command ---------------------------------------------------------------------------- */

/* The words of "extra_args": an array of strings, or one string with blanks. */
static void add_extra(struct words *words, json_t *value)
{
    const char *text = json_string_value(value);
    char copy[PATH_MAX];
    char *word, *rest;
    size_t i;

    for (i = 0; i < json_array_size(value); i++) {
        const char *element = json_string_value(json_array_get(value, i));

        words->is_bad = words->is_bad || !element;
        if (element)
            add(words, element);
    }
    if (!text)
        return;
    words->is_bad = words->is_bad || snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy;
    for (word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
        add(words, word);
}

/* What the choice names for this node; `entry` is its row of the file, or NULL. */
static const char *name_of(const struct lab_node *node, const struct lab_choice *choice,
                           json_t *entry)
{
    const char *path = json_string_value(json_object_get(entry, "binary_path"));

    if (path)
        return path;
    if (node->is_router)
        return choice->router ? choice->router : "vrouter";
    return choice->host ? choice->host : "vhost";
}

static int choose(struct lab *lab, struct lab_node *node, const struct lab_choice *choice,
                  json_t *entry, struct net_error *error)
{
    struct words words = {.count = 0};
    const char *name = name_of(node, choice, entry);
    char path[PATH_MAX], sock[PATH_MAX];
    char *const *word;

    if (!find_program(name, choice->bin_dir, path))
        return fail(error, WEIR_ENOENT, "%s: there is no program %.200s%s%.200s", node->name, name,
                    choice->bin_dir ? " in " : "", choice->bin_dir ? choice->bin_dir : "");
    node->is_ours = plan_is_ours(path) || json_is_true(json_object_get(entry, "weir"));
    if (json_is_true(json_object_get(entry, "sudo")))
        add(&words, "sudo");
    add(&words, path);
    if (!json_is_true(json_object_get(entry, "skip_config"))) {
        add(&words, "--config");
        add(&words, node->lnx);
    }
    if (node->is_ours) {
        add(&words, "--control");
        add(&words, lab_path(lab, node->name, ".sock", sock));
    }
    add_extra(&words, json_object_get(entry, "extra_args"));
    for (word = choice->extra; word && *word; word++)
        add(&words, *word);
    node->argv = calloc(words.count + 1, sizeof *node->argv);
    if (node->argv)
        memcpy(node->argv, words.word, words.count * sizeof *words.word);
    if (!words.is_bad && node->argv)
        return 0;
    return fail(error, WEIR_EINVAL, "%s: too many words, or \"extra_args\" that are no strings",
                node->name);
}

/* ---- The file of programs ------------------------------------------------------------------------ */

/* What the value of `key` should have been; NULL: it is that. */
static const char *expected(const char *key, json_t *value)
{
    static const char known[] = "one of: binary_path extra_args sudo skip_config weir";

    if (!strcmp(key, "binary_path"))
        return json_is_string(value) ? NULL : "a string";
    if (!strcmp(key, "extra_args"))
        return json_is_string(value) || json_is_array(value) ? NULL
                                                             : "an array of strings, or a string";
    if (!strcmp(key, "sudo") || !strcmp(key, "skip_config") || !strcmp(key, "weir"))
        return json_is_boolean(value) ? NULL : "true or false";
    return known;
}

/* The line of a node's entry, or of `key` in it. */
static unsigned line_of(const char *path, const char *name, const char *key)
{
    const struct where_step steps[] = {{name, 0}, {key, 0}};

    return where_line_in_file(path, steps, key ? 2 : 1);
}

static int check_entry(const struct lab *lab, const char *path, const char *name, json_t *entry,
                       struct net_error *error)
{
    const char *key;
    json_t *value;

    if (!lab_node(lab, name))
        return fail(error, WEIR_EINVAL,
                    "%.200s:%u: unknown node \"%.60s\", expected one of the lab's", path,
                    line_of(path, name, NULL), name);
    if (!json_is_object(entry))
        return fail(error, WEIR_EINVAL, "%.200s:%u: \"%.60s\": expected {\"binary_path\": …}", path,
                    line_of(path, name, NULL), name);
    json_object_foreach(entry, key, value)
    {
        const char *what = expected(key, value);

        if (what)
            return fail(error, WEIR_EINVAL, "%.200s:%u: \"%.60s\": bad \"%.40s\", expected %s",
                        path, line_of(path, name, key), name, key, what);
    }
    return 0;
}

static int check_config(const struct lab *lab, const char *path, json_t *root,
                        struct net_error *error)
{
    const char *name;
    json_t *entry;
    int result = 0;

    if (!json_is_object(root))
        return fail(error, WEIR_EINVAL, "%.200s: expected {NODE: {\"binary_path\": …}}", path);
    json_object_foreach(root, name, entry)
    {
        result = check_entry(lab, path, name, entry, error);
        if (result)
            break;
    }
    return result;
}

int plan_programs(struct lab *lab, const struct lab_choice *choice, struct net_error *error)
{
    json_t *root = NULL;
    json_error_t fault;
    int result = 0;
    size_t i;

    if (choice->bin_config) {
        root = json_load_file(choice->bin_config, JSON_REJECT_DUPLICATES, &fault);
        if (!root)
            return fault.line > 0 ? fail(error, WEIR_EINVAL, "%.200s:%d: %s", choice->bin_config,
                                         fault.line, fault.text)
                                  : fail(error, WEIR_EIO, "%.300s", fault.text);
        result = check_config(lab, choice->bin_config, root, error);
    }
    for (i = 0; i < lab->node_count && !result; i++)
        result =
            choose(lab, &lab->nodes[i], choice, json_object_get(root, lab->nodes[i].name), error);
    json_decref(root);
    return result;
}
