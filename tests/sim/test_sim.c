/* SPDX-License-Identifier: MIT */

/* The simulator's seeds: random worlds must end well, and end the same each time.
 *
 *     test_sim                            the golden hashes, then seeds 1 to 1000 (100 sanitized)
 *     test_sim --seeds FIRST COUNT [-v [-v]] these seeds; -v tells what became of each
 *                                       connection, -v -v shows every packet
 *     test_sim --golden                   prints the lines of golden.txt
 *
 * A golden hash covers every packet with its nanosecond. It is the same under every compiler and
 * changes whenever the stack sends anything else than before; whoever changes it says why. */

#include "world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN_SEEDS 12
#define REPEAT_EACH 50 /* each 50th seed is run twice */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS 100
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SEEDS 100
#endif
#endif
#ifndef SEEDS
#define SEEDS 1000
#endif

static const char *program;
static char replay[512]; /* how to replay the present seed */

/* An assertion of the library failed: say which seed it was. */
static void tell_seed(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, replay, strlen(replay));

    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run(uint64_t seed, int verbosity, struct verdict *verdict)
{
    snprintf(replay, sizeof(replay), "replay: %s --seeds %" PRIu64 " 1 -v\n", program, seed);
    world_run(seed, verbosity, verdict);
    if (verbosity > 0)
        printf("  %" PRIu64 " packets, %" PRIu64 " bytes, %d errors, %.3f s, hash %016" PRIx64 "\n",
               verdict->packets, verdict->bytes, verdict->errors, (double)verdict->duration / 1e9,
               verdict->hash);
}

static bool run_one(uint64_t seed, int verbosity)
{
    struct verdict verdict, again;

    run(seed, verbosity, &verdict);
    if (!verdict.is_good) {
        printf("seed %" PRIu64 ": %s\n%s", seed, verdict.reason, replay);
        return false;
    }
    if (seed % REPEAT_EACH != 0)
        return true;
    run(seed, 0, &again);
    if (again.hash == verdict.hash)
        return true;
    printf("seed %" PRIu64 ": the second run differs: %016" PRIx64 ", then %016" PRIx64 "\n%s",
           seed, verdict.hash, again.hash, replay);
    return false;
}

static unsigned run_seeds(uint64_t first, uint64_t count, int verbosity, unsigned *passed)
{
    unsigned failed = 0;

    for (uint64_t seed = first; seed < first + count; seed++) {
        if (run_one(seed, verbosity))
            ++*passed;
        else
            failed++;
    }
    return failed;
}

static int print_golden(void)
{
    struct verdict verdict;

    for (uint64_t seed = 1; seed <= GOLDEN_SEEDS; seed++) {
        run(seed, 0, &verdict);
        printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 " packets\n", seed, verdict.hash,
               verdict.packets);
    }
    return 0;
}

static unsigned check_golden(unsigned *passed)
{
    FILE *file = fopen(WEIR_SOURCE_DIR "/tests/sim/golden.txt", "r");
    uint64_t seed, hash, packets;
    unsigned failed = 0;

    if (file == NULL) {
        printf("tests/sim/golden.txt cannot be read\n");
        return 1;
    }
    while (fscanf(file, "%" SCNu64 " %" SCNx64 " %" SCNu64 " packets", &seed, &hash, &packets) ==
           3) {
        struct verdict verdict;

        run(seed, 0, &verdict);
        if (verdict.hash == hash && verdict.packets == packets) {
            ++*passed;
            continue;
        }
        failed++;
        printf("golden seed %" PRIu64 ": hash %016" PRIx64 ", %" PRIu64
               " packets; expected %016" PRIx64 ", %" PRIu64 "\n%s",
               seed, verdict.hash, verdict.packets, hash, packets, replay);
    }
    fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    program = argv[0];
    signal(SIGABRT, tell_seed);
    if (argc == 2 && strcmp(argv[1], "--golden") == 0)
        return print_golden();
    if (argc >= 4 && strcmp(argv[1], "--seeds") == 0) {
        failed =
            run_seeds(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argc - 4, &passed);
    } else if (argc == 1) {
        failed = check_golden(&passed);
        failed += run_seeds(1, SEEDS, 0, &passed);
    } else {
        fprintf(stderr, "Usage: %s [--golden | --seeds FIRST COUNT [-v [-v]]]\n", program);
        return 2;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
