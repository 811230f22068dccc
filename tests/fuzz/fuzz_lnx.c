/* SPDX-License-Identifier: MIT */

/* lnx files: any text is either a node within the limits, or refused with one line that says where.
 *
 * What is taken must be whole: neighbours name an interface that is there, times are positive, and
 * the same text gives the same node. A second parse of it follows the first for that reason.
 */

#include "fuzz.h"
#include <lab/lnx.h>

static void check_node(const struct lnx *lnx)
{
    size_t i;

    FUZZ_CHECK(lnx->iface_count <= LNX_IFACES_MAX, "%zu interfaces", lnx->iface_count);
    FUZZ_CHECK(lnx->neighbour_count <= LNX_NEIGHBOURS_MAX, "%zu", lnx->neighbour_count);
    FUZZ_CHECK(lnx->route_count <= LNX_NEIGHBOURS_MAX, "%zu", lnx->route_count);
    FUZZ_CHECK(lnx->advertise_count <= LNX_NEIGHBOURS_MAX, "%zu", lnx->advertise_count);
    for (i = 0; i < lnx->iface_count; i++) {
        const struct lnx_iface *iface = &lnx->ifaces[i];

        FUZZ_CHECK(memchr(iface->name, '\0', sizeof iface->name), "a name without an end");
        FUZZ_CHECK(weir_prefix_contains(&iface->prefix, &iface->addr), "outside its prefix");
    }
    for (i = 0; i < lnx->neighbour_count; i++)
        FUZZ_CHECK(lnx->neighbours[i].iface < lnx->iface_count, "neighbour of no interface");
    FUZZ_CHECK(lnx->rip_update_interval > 0 && lnx->rip_route_timeout > 0, "RIP times");
    FUZZ_CHECK(lnx->rto_min > 0 && lnx->rto_max > 0, "RTO bounds");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lnx lnx, again;
    struct lnx_error error, other;
    char *text = (char *)exact_copy(data, size);
    int result;

    memset(&error, 0, sizeof error);
    result = lnx_parse_text("f.lnx", text, size, &lnx, &error);
    FUZZ_CHECK(lnx_parse_text("f.lnx", text, size, &again, &other) == result, "moody");
    if (result == 0) {
        check_node(&lnx);
        FUZZ_CHECK(again.iface_count == lnx.iface_count && again.route_count == lnx.route_count &&
                       again.neighbour_count == lnx.neighbour_count,
                   "moody");
        lnx_done(&lnx);
        lnx_done(&again);
    } else {
        FUZZ_CHECK(result == error.code && result < 0, "%d, %d", result, error.code);
        FUZZ_CHECK(memchr(error.text, '\0', sizeof error.text) && error.text[0], "no text");
        FUZZ_CHECK(!strchr(error.text, '\n'), "two lines: %s", error.text);
        FUZZ_CHECK(!lnx.ifaces && !lnx.neighbours && !lnx.routes && !lnx.advertise_to, "leftovers");
    }
    free(text);
    return 0;
}
