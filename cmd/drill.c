/* SPDX-License-Identifier: MIT */

/* weir drill: finds the scripts, runs them on as many threads as asked for, and tells the outcome
 * in the order of the files, as plain text, TAP or JUnit.
 *
 * Scripts share nothing, so a thread takes the next index and leaves its result in its place.
 * Directories are walked in the order of names, so that the output is the same everywhere. At most
 * FILES_MAX scripts and DEPTH_MAX levels of folders are taken. */

#include <cmd/verbs.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <lab/drill/drill.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/error.h>

#define FILES_MAX 100000u
#define DEPTH_MAX 16u
#define DEFINES_MAX 64u
#define JOBS_MAX 64

struct job {
    struct drill_options options;
    struct define defines[DEFINES_MAX];
    char **files;
    size_t file_count;
    struct drill_result *results;
    atomic_size_t next;
    bool tap, hash, too_many, unreadable;
    const char *junit;
    int jobs;
};

static const char usage_text[] =
    "usage: weir drill [options] FILE|DIR…\n"
    "  --profile P    linux (as if not given), default, strict or brown\n"
    "  --seed N       another seed for the stack's secrets\n"
    "  --allow-shell  hand commands that are not understood to sh\n"
    "  --allow-code   hand code that the evaluator cannot read to python3\n"
    "  --pcap DIR     write a capture of each script there\n"
    "  --tap          one TAP line a script\n"
    "  --junit FILE   and a JUnit report\n"
    "  --jobs N       run N scripts at a time\n"
    "  --hash         tell a number that stands for all packets of a script and their times\n"
    "  --lenient      packets after the last expected one are no failure\n"
    "  -D NAME=VALUE  replace the word NAME in scripts\n"
    "status: 0 all passed, 1 one failed, 2 wrong usage or an unreadable file, 3 some were skipped\n";

static void add_file(struct job *job, const char *path)
{
    char **grown;

    if (job->file_count == FILES_MAX) {
        job->too_many = true;
        return;
    }
    grown = realloc(job->files, (job->file_count + 1) * sizeof(*grown));
    if (!grown)
        return;
    job->files = grown;
    job->files[job->file_count] = strdup(path);
    if (job->files[job->file_count])
        job->file_count++;
}

static bool is_script(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && !strcmp(name + length - 4, ".pkt");
}

/* Links to folders are not followed: they may lead back. */
static void add_folder(struct job *job, const char *path, unsigned depth)
{
    struct dirent **entries;
    int count = depth < DEPTH_MAX ? scandir(path, &entries, NULL, alphasort) : 0;
    int i;

    if (count < 0) {
        fprintf(stderr, "weir drill: %s cannot be read\n", path);
        job->unreadable = true;
    }
    for (i = 0; i < count; i++) {
        struct stat status;
        char *child;

        if (entries[i]->d_name[0] != '.' &&
            asprintf(&child, "%s/%s", path, entries[i]->d_name) > 0) {
            if (!lstat(child, &status) && S_ISDIR(status.st_mode))
                add_folder(job, child, depth + 1);
            else if (is_script(child) && !(!stat(child, &status) && S_ISDIR(status.st_mode)))
                add_file(job, child);
            free(child);
        }
        free(entries[i]);
    }
    if (count >= 0 && depth < DEPTH_MAX)
        free(entries);
}

static void add_path(struct job *job, const char *path)
{
    struct stat status;

    if (!stat(path, &status) && S_ISDIR(status.st_mode))
        add_folder(job, path, 0);
    else
        add_file(job, path); /* one that cannot be read is told of when its turn comes */
}

static bool parse_number(const char *text, unsigned long long max, unsigned long long *number)
{
    char *end;

    *number = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && *number <= max;
}

static bool parse_define(struct job *job, char *text)
{
    char *equals = text ? strchr(text, '=') : NULL;

    if (!equals || equals == text || job->options.define_count == DEFINES_MAX)
        return false;
    *equals = '\0';
    job->defines[job->options.define_count++] = (struct define){text, equals + 1};
    return true;
}

/* An option with a value; false: it is none, or the value is wrong. */
static bool parse_valued(struct job *job, const char *name, char *value)
{
    unsigned long long number = 0;

    if (!strcmp(name, "--profile"))
        return !weir_profile_parse(value, &job->options.profile);
    if (!strcmp(name, "--seed")) {
        bool fits = parse_number(value, UINT64_MAX, &number);

        job->options.seed = number;
        return fits;
    }
    if (!strcmp(name, "--jobs")) {
        bool fits = parse_number(value, JOBS_MAX, &number) && number > 0;

        job->jobs = fits ? (int)number : 1;
        return fits;
    }
    if (!strcmp(name, "--pcap")) {
        job->options.pcap = value;
        return true;
    }
    if (!strcmp(name, "--junit")) {
        job->junit = value;
        return true;
    }
    return (!strcmp(name, "-D") || !strcmp(name, "--define")) && parse_define(job, value);
}

/* An option without a value; false: it is none. */
static bool parse_flag(struct job *job, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--tap", &job->tap},
        {"--hash", &job->hash},
        {"--lenient", &job->options.lenient},
        {"--allow-code", &job->options.allow_code},
        {"--allow-shell", &job->options.allow_shell},
    };
    size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (!strcmp(flags[i].name, name)) {
            *flags[i].flag = true;
            return true;
        }
    }
    return false;
}

/* `--name value`, `--name=value` or a flag. Returns how many arguments it is; 0: a wrong one. */
static int parse_option(struct job *job, char **argv, int left)
{
    char *equals = argv[0][1] == '-' ? strchr(argv[0], '=') : NULL;

    if (parse_flag(job, argv[0]))
        return 1;
    if (equals) {
        *equals = '\0';
        return parse_valued(job, argv[0], equals + 1) ? 1 : 0;
    }
    return left > 1 && parse_valued(job, argv[0], argv[1]) ? 2 : 0;
}

static int complain(const char *what, const char *name)
{
    fprintf(stderr, "weir drill: %s%s\n%s", what, name, usage_text);
    return 3;
}

/* 0; or the exit status plus one. */
static int parse_args(struct job *job, int argc, char **argv)
{
    int i = 1, taken;

    while (i < argc) {
        if (!strcmp(argv[i], "--help")) {
            fputs(usage_text, stdout);
            return 1;
        }
        taken = argv[i][0] == '-' ? parse_option(job, argv + i, argc - i) : 1;
        if (taken == 0)
            return complain("wrong option ", argv[i]);
        if (argv[i][0] != '-')
            add_path(job, argv[i]);
        i += taken;
    }
    if (job->options.pcap && mkdir(job->options.pcap, 0777) < 0 && errno != EEXIST)
        return complain("no folder ", job->options.pcap);
    if (job->file_count == 0 || job->too_many)
        return complain(job->too_many ? "too many scripts" : "no scripts", "");
    return 0;
}

static void *work(void *argument)
{
    struct job *job = argument;
    size_t index;

    while ((index = atomic_fetch_add(&job->next, 1)) < job->file_count)
        drill_file(job->files[index], &job->options, &job->results[index]);
    return NULL;
}

static void run_all(struct job *job)
{
    pthread_t threads[JOBS_MAX];
    int started = 0;

    while (started < job->jobs - 1 && !pthread_create(&threads[started], NULL, work, job))
        started++;
    work(job);
    while (started-- > 0)
        pthread_join(threads[started], NULL);
}

static void print_commented(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");

        printf("# %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_tap(const struct job *job, size_t index)
{
    const struct drill_result *result = &job->results[index];
    const char *text = result->text ? result->text : "";
    bool is_bad = result->verdict == DRILL_FAILED || result->verdict == DRILL_BROKEN;

    printf("%sok %zu - %s", is_bad ? "not " : "", index + 1, job->files[index]);
    if (result->verdict == DRILL_SKIPPED)
        printf(" # SKIP %.*s", (int)strcspn(text, "\n"), text);
    putchar('\n');
    if (is_bad)
        print_commented(text);
}

static void print_plain(const struct job *job, size_t index)
{
    static const char *const words[] = {"ok", "FAILED", "skipped", "BROKEN"};
    const struct drill_result *result = &job->results[index];

    printf("%-8s %s\n", words[result->verdict], job->files[index]);
    if (result->verdict != DRILL_PASSED && result->text)
        printf("%s%s", result->text,
               *result->text && result->text[strlen(result->text) - 1] == '\n' ? "" : "\n");
}

static void print_xml(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '&' || *text == '>' || *text == '"')
            fprintf(file, "&#%d;", *text);
        else if ((unsigned char)*text >= 32 || *text == '\n' || *text == '\t')
            fputc(*text, file);
    }
}

static size_t count(const struct job *job, enum drill_verdict verdict)
{
    size_t found = 0, i;

    for (i = 0; i < job->file_count; i++)
        found += job->results[i].verdict == verdict;
    return found;
}

static bool write_junit(const struct job *job)
{
    FILE *file = fopen(job->junit, "w");
    size_t i;

    if (!file)
        return false;
    fprintf(file,
            "<testsuite name=\"weir drill\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n",
            job->file_count, count(job, DRILL_FAILED) + count(job, DRILL_BROKEN),
            count(job, DRILL_SKIPPED));
    for (i = 0; i < job->file_count; i++) {
        const struct drill_result *result = &job->results[i];
        const char *tag = result->verdict == DRILL_SKIPPED ? "skipped" : "failure";

        fputs("  <testcase name=\"", file);
        print_xml(file, job->files[i]);
        fputs("\">", file);
        if (result->verdict != DRILL_PASSED) {
            fprintf(file, "<%s>", tag);
            print_xml(file, result->text ? result->text : "");
            fprintf(file, "</%s>", tag);
        }
        fputs("</testcase>\n", file);
    }
    fputs("</testsuite>\n", file);
    return fclose(file) == 0;
}

/* Tells everything; returns the exit status. */
static int tell(const struct job *job)
{
    size_t i;

    if (job->tap)
        printf("1..%zu\n", job->file_count);
    for (i = 0; i < job->file_count; i++) {
        if (job->tap)
            print_tap(job, i);
        else
            print_plain(job, i);
        if (job->hash)
            printf("# trace %016" PRIx64 "\n", job->results[i].trace_hash);
    }
    printf("%s%zu passed, %zu failed, %zu skipped\n", job->tap ? "# " : "",
           count(job, DRILL_PASSED), count(job, DRILL_FAILED) + count(job, DRILL_BROKEN),
           count(job, DRILL_SKIPPED));
    if (count(job, DRILL_BROKEN) || job->unreadable)
        return 2;
    if (count(job, DRILL_FAILED))
        return 1;
    return count(job, DRILL_SKIPPED) ? 3 : 0;
}

static void job_done(struct job *job)
{
    size_t i;

    for (i = 0; i < job->file_count; i++) {
        if (job->results)
            free(job->results[i].text);
        free(job->files[i]);
    }
    free(job->results);
    free(job->files);
}

int verb_drill(int argc, char **argv)
{
    struct job job = {.jobs = 1, .options.profile = WEIR_PROFILE_LINUX};
    int status = parse_args(&job, argc, argv);

    job.options.defines = job.defines;
    if (status > 0) {
        job_done(&job);
        return status - 1;
    }
    job.results = calloc(job.file_count, sizeof(*job.results));
    if (job.results) {
        run_all(&job);
        status = tell(&job);
        if (job.junit && !write_junit(&job)) {
            fprintf(stderr, "weir drill: %s cannot be written\n", job.junit);
            status = 2;
        }
    } else {
        status = 2;
    }
    job_done(&job);
    return status;
}
