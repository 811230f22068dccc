/* SPDX-License-Identifier: MIT */

/* Quantiles out of buckets, against sorting. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <lab/perf/perf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 20000

static int compare(const void *left, const void *right)
{
    weir_time a = *(const weir_time *)left, b = *(const weir_time *)right;

    return (a > b) - (a < b);
}

/* The true quantile: the least value that the share does not exceed. */
static weir_time sorted_quantile(const weir_time *sorted, size_t count, double share)
{
    size_t index = (size_t)ceil(share * (double)count);

    return sorted[index > 0 ? index - 1 : 0];
}

static void test_quantiles_as_sorting_has_them(void **state)
{
    static const double shares[] = {0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    static weir_time values[COUNT];
    static struct perf_histogram histogram;
    struct random random;

    (void)state;
    print_message("seed 4\n");
    random_init_u64(&random, 4, 0);
    for (unsigned bits = 1; bits <= 41; bits += 5) {
        double sum = 0;

        memset(&histogram, 0, sizeof(histogram));
        for (int index = 0; index < COUNT; index++) {
            /* Of all magnitudes up to `bits`. */
            values[index] =
                (weir_time)(random_u64(&random) >> 1 >> (63 - 1 - random_below(&random, bits)));
            perf_histogram_add(&histogram, values[index]);
            sum += (double)values[index];
        }
        qsort(values, COUNT, sizeof(values[0]), compare);
        assert_int_equal(histogram.count, COUNT);
        assert_true(histogram.least == values[0] && histogram.most == values[COUNT - 1]);
        assert_true(fabs((double)perf_histogram_mean(&histogram) - sum / COUNT) <= 1);
        for (size_t index = 0; index < sizeof(shares) / sizeof(shares[0]); index++) {
            weir_time truth = sorted_quantile(values, COUNT, shares[index]);
            weir_time got = perf_histogram_quantile(&histogram, shares[index]);

            assert_true(got >= truth);
            assert_true((double)got <= (double)truth * (1 + 1.0 / 32) + 1);
        }
    }
}

static void test_small_ones_are_exact(void **state)
{
    static struct perf_histogram histogram;

    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    for (weir_time value = 0; value < 64; value++)
        perf_histogram_add(&histogram, value);
    for (int value = 0; value < 64; value++)
        assert_int_equal(perf_histogram_quantile(&histogram, (value + 1) / 64.0), value);
}

static void test_extremes(void **state)
{
    static struct perf_histogram histogram;

    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    assert_int_equal(perf_histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(perf_histogram_mean(&histogram), 0);
    perf_histogram_add(&histogram, -5);
    assert_int_equal(histogram.most, 0);
    perf_histogram_add(&histogram, WEIR_NEVER);
    assert_true(perf_histogram_quantile(&histogram, 1) == WEIR_NEVER);
    assert_int_equal(perf_histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram.count, 2);
}

static void test_rate(void **state)
{
    (void)state;
    assert_true(perf_rate(125000000, WEIR_SECOND) == 1e9);
    assert_true(perf_rate(1000, 0) == 0.0);
    assert_true(perf_rate(0, WEIR_SECOND) == 0.0);
    assert_true(perf_rate(1, 8 * WEIR_SECOND) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_as_sorting_has_them),
        cmocka_unit_test(test_small_ones_are_exact),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
