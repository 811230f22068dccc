/* SPDX-License-Identifier: MIT */

/* Durations, counted in buckets.
 *
 * A test may take millions of round trips, and what is wanted of them in the end are a few quantiles:
 * keeping each would cost memory without measure, so each adds one to a bucket. A bucket is a
 * thirty-second of its value wide: durations below 64 ns have one each, and from there on each power
 * of two is cut into 32. So 1184 counters reach from 1 ns to 36 minutes (longer ones count as that),
 * and a quantile is at most 3.2 % above the true one, never below it. The least, the most and the
 * mean are exact. */

#include <lab/perf/perf.h>

#define DURATION_MAX (((weir_time)1 << 41) - 1)

static unsigned bucket_of(weir_time duration)
{
    unsigned shift = 0;

    while (duration >> shift >= 64)
        shift++;
    return shift * 32 + (unsigned)(duration >> shift);
}

/* The longest duration that falls into it. */
static weir_time bucket_end(unsigned bucket)
{
    unsigned shift = bucket < 64 ? 0 : bucket / 32 - 1;

    return ((weir_time)(bucket - shift * 32 + 1) << shift) - 1;
}

void perf_histogram_add(struct perf_histogram *histogram, weir_time duration)
{
    if (duration < 0)
        duration = 0;
    if (histogram->count == 0 || duration < histogram->least)
        histogram->least = duration;
    if (duration > histogram->most)
        histogram->most = duration;
    histogram->count++;
    histogram->sum += (double)duration;
    histogram->counts[bucket_of(duration < DURATION_MAX ? duration : DURATION_MAX)]++;
}

weir_time perf_histogram_quantile(const struct perf_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t below = 0;

    for (unsigned bucket = 0; bucket < PERF_BUCKETS; bucket++) {
        below += histogram->counts[bucket];
        if (below > 0 && (double)below >= wanted) {
            weir_time end = bucket_end(bucket);

            return end < histogram->most && bucket + 1 < PERF_BUCKETS ? end : histogram->most;
        }
    }
    return histogram->most;
}

weir_time perf_histogram_mean(const struct perf_histogram *histogram)
{
    return histogram->count ? (weir_time)(histogram->sum / (double)histogram->count) : 0;
}

double perf_rate(uint64_t bytes, weir_time time)
{
    return time > 0 ? 8.0 * (double)bytes / ((double)time / (double)WEIR_SECOND) : 0.0;
}
