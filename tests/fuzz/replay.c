/* SPDX-License-Identifier: MIT */

/* Runs a fuzz target over its corpus, as a test: each file is a case, and so is no input at all.
 *
 *     fuzz_tcp tests/fuzz/corpus/tcp        a folder, in the order of names
 *     fuzz_tcp crash-1234                   one file
 *
 * The target is compiled without libFuzzer then. A broken promise aborts the program, so a case
 * that has begun and is not told ok is the one that failed; its name is printed before it runs.
 */

#include "fuzz.h"
#include <dirent.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)
#define PATH_TEXT 4096

/* Runs one file; false if it cannot be read. */
static bool run_file(const char *path)
{
    static const size_t size = INPUT_MAX;
    FILE *file = fopen(path, "rb");
    uint8_t *buffer = malloc(size);
    uint8_t *exact;
    size_t length;

    if (!file || !buffer) {
        if (file)
            fclose(file);
        free(buffer);
        return false;
    }
    length = fread(buffer, 1, size, file);
    fclose(file);
    exact = exact_copy(buffer, length);
    free(buffer);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    return true;
}

static bool run_case(int number, const char *folder, const char *name)
{
    char path[PATH_TEXT];
    bool ok;

    snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    printf("# %s\n", path);
    fflush(stdout);
    ok = run_file(path);
    printf("%sok %d - %s\n", ok ? "" : "not ", number, name);
    return ok;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, alphasort);
    int i, failed = 0;

    if (count < 1) {
        printf("1..1\nnot ok 1 - no corpus in %s\n", folder);
        return 1;
    }
    printf("1..%d\n", count + 1);
    for (i = 0; i < count; i++) {
        failed += !run_case(i + 1, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok %d - nothing\n", count + 1);
    return failed != 0;
}

int main(int argc, char **argv)
{
    struct stat status;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER | FILE\n", argv[0]);
        return 2;
    }
    if (stat(argv[1], &status) == 0 && S_ISREG(status.st_mode)) {
        printf("1..1\n");
        return !run_case(1, NULL, argv[1]);
    }
    return run_folder(argv[1]);
}
