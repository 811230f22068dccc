/* SPDX-License-Identifier: MIT */

/* The constants file of the course's generator: four times as members of one JSON object.
 *
 *     {"rip_periodic_update_rate_ms": 5000, "rip_timeout_threshold_ms": 12000,
 *      "tcp_rto_min_us": 1000, "tcp_rto_max_us": 5000000}
 *
 * Each may be missing. Other members, and values that an lnx file could not hold, are faults. The file
 * is small and flat, so a fault in its meaning names the member instead of the line.
 */

#include <errno.h>
#include <jansson.h>
#include <lab/net/constants.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>

/* The place of member `key` and the largest value it may have; NULL: unknown. */
static unsigned *place_of(struct net_options *options, const char *key, json_int_t *most)
{
    *most = 86400000; /* a day */
    if (!strcmp(key, "rip_periodic_update_rate_ms"))
        return &options->rip_update_ms;
    if (!strcmp(key, "rip_timeout_threshold_ms"))
        return &options->rip_timeout_ms;
    *most = 4000000000;
    if (!strcmp(key, "tcp_rto_min_us"))
        return &options->rto_min_us;
    if (!strcmp(key, "tcp_rto_max_us"))
        return &options->rto_max_us;
    return NULL;
}

static int fail(struct net_error *error, const char *path, const char *key, const char *what)
{
    snprintf(error->text, sizeof error->text, "%.200s: \"%.60s\": %s", path, key, what);
    return WEIR_EINVAL;
}

static int take_members(const char *path, json_t *root, struct net_options *options,
                        struct net_error *error)
{
    const char *key;
    json_t *value;

    json_object_foreach(root, key, value)
    {
        json_int_t most;
        unsigned *place = place_of(options, key, &most);

        if (!place)
            return fail(error, path, key, "unknown key");
        if (!json_is_integer(value) || json_integer_value(value) < 1 ||
            json_integer_value(value) > most)
            return fail(error, path, key, "expected a whole number, from 1 to a day or so");
        *place = (unsigned)json_integer_value(value);
    }
    return 0;
}

int net_read_constants(const char *path, struct net_options *options, struct net_error *error)
{
    struct net_options changed = *options;
    json_error_t fault;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &fault);
    int result;

    memset(error, 0, sizeof *error);
    if (!root) {
        error->line = fault.line > 0 ? (unsigned)fault.line : 0;
        if (error->line)
            snprintf(error->text, sizeof error->text, "%.200s:%u: %s", path, error->line,
                     fault.text);
        else
            snprintf(error->text, sizeof error->text, "%s", fault.text);
        return error->line ? WEIR_EINVAL : WEIR_EIO;
    }
    if (json_is_object(root))
        result = take_members(path, root, &changed, error);
    else
        result = fail(error, path, "", "expected an object");
    json_decref(root);
    if (!result)
        *options = changed;
    return result;
}

int net_write_constants(const char *path, struct net_error *error)
{
    struct net_options options;
    FILE *file = fopen(path, "wxe");
    bool is_bad;

    memset(error, 0, sizeof *error);
    net_options_init(&options);
    if (file)
        fprintf(file,
                "{\n  \"rip_periodic_update_rate_ms\": %u,\n  \"rip_timeout_threshold_ms\": %u,\n"
                "  \"tcp_rto_min_us\": %u,\n  \"tcp_rto_max_us\": %u\n}\n",
                options.rip_update_ms, options.rip_timeout_ms, options.rto_min_us,
                options.rto_max_us);
    is_bad = !file || ferror(file);
    if (file && fclose(file))
        is_bad = true;
    if (!is_bad)
        return 0;
    snprintf(error->text, sizeof error->text, "%.300s: %s", path, strerror(errno));
    return WEIR_EIO;
}
