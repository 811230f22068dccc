/* SPDX-License-Identifier: MIT */

/* The simulator's seeds: random worlds must end well, and end the same each time.
 *
 *     test_sim                            as a test (TAP): the golden hashes, then seeds 1 to 1000, a
 *                                       hundred a case; WEIR_SIM_SEEDS says how many
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

#define SEEDS 1000
#define SEEDS_A_CASE 100

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

/* ---- As a test ---------------------------------------------------------------------------------- */

static unsigned cases, failed_cases;

static void tell_case(bool is_good, const char *what, uint64_t number)
{
    printf("%s %u - %s %" PRIu64 "\n", is_good ? "ok" : "not ok", ++cases, what, number);
    failed_cases += is_good ? 0 : 1;
}

static void check_golden(FILE *file)
{
    uint64_t seed, hash, packets;

    while (fscanf(file, "%" SCNu64 " %" SCNx64 " %" SCNu64 " packets", &seed, &hash, &packets) ==
           3) {
        struct verdict verdict;
        bool is_good;

        run(seed, 0, &verdict);
        is_good = verdict.hash == hash && verdict.packets == packets;
        if (!is_good)
            printf("golden seed %" PRIu64 ": hash %016" PRIx64 ", %" PRIu64
                   " packets; expected %016" PRIx64 ", %" PRIu64 "\n%s",
                   seed, verdict.hash, verdict.packets, hash, packets, replay);
        tell_case(is_good, "golden seed", seed);
    }
}

static int test(void)
{
    const char *wanted = getenv("WEIR_SIM_SEEDS");
    uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : SEEDS;
    FILE *file = fopen(WEIR_SOURCE_DIR "/tests/sim/golden.txt", "r");
    unsigned passed = 0;

    if (file == NULL) {
        printf("tests/sim/golden.txt cannot be read\n");
        return 1;
    }
    check_golden(file);
    fclose(file);
    for (uint64_t first = 1; first <= seeds; first += SEEDS_A_CASE) {
        uint64_t count = seeds - first + 1 < SEEDS_A_CASE ? seeds - first + 1 : SEEDS_A_CASE;

        tell_case(run_seeds(first, count, 0, &passed) == 0, "seeds from", first);
    }
    printf("1..%u\n", cases);
    return failed_cases == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed;

    program = argv[0];
    signal(SIGABRT, tell_seed);
    if (argc == 1)
        return test();
    if (argc == 2 && strcmp(argv[1], "--golden") == 0)
        return print_golden();
    if (argc < 4 || strcmp(argv[1], "--seeds") != 0) {
        fprintf(stderr, "Usage: %s [--golden | --seeds FIRST COUNT [-v [-v]]]\n", program);
        return 2;
    }
    failed = run_seeds(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argc - 4, &passed);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
