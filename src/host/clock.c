/* SPDX-License-Identifier: MIT */

/* The two things of the outside world that a stack must be told: the time, and a secret.
 *
 * Time is CLOCK_MONOTONIC: it never runs backwards and no administrator sets it. It is read once
 * per entry into the host and passed on by value. The secret comes from getrandom(2), which blocks
 * only until the system has gathered its first entropy after boot; a short read (a signal during
 * that wait) is carried on. */

#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <weir/error.h>
#include <weir/host.h>

weir_time weir_host_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (weir_time)now.tv_sec * WEIR_SECOND + now.tv_nsec;
}

int weir_host_seed(struct weir_stack_config *config)
{
    size_t have = 0;

    while (have < sizeof(config->seed)) {
        ssize_t count = getrandom(config->seed + have, sizeof(config->seed) - have, 0);

        if (count > 0)
            have += (size_t)count;
        else if (errno != EINTR)
            return WEIR_EIO;
    }
    return 0;
}
