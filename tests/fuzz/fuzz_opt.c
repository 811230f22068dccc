/* SPDX-License-Identifier: MIT */

/* TCP options: the parser against a naive walk, and what is emitted against the parser.
 *
 * First byte: bit 0 says SYN, bits 1 and 2 choose what is emitted. The rest, at most 40 bytes, is
 * the option area of a header.
 */

#include "fuzz.h"
#include <tcp/opt.h>

/* RFC 9293 3.1 read aloud: a recursive walk over the list. *mss stays if there is none. */
static bool walk(const uint8_t *bytes, size_t length, uint16_t *mss)
{
    if (length == 0 || bytes[0] == 0)
        return true;
    if (bytes[0] == 1)
        return walk(bytes + 1, length - 1, mss);
    if (length < 2 || bytes[1] < 2 || bytes[1] > length)
        return false;
    if (bytes[0] == 2 && bytes[1] != 4)
        return false;
    if (bytes[0] == 2)
        *mss = (uint16_t)(bytes[2] << 8 | bytes[3]);
    return walk(bytes + bytes[1], length - bytes[1], mss);
}

static void check_emit(uint8_t flags, uint16_t mss)
{
    const struct opt_out out = {.flags = flags, .mss = mss};
    struct tcp_options options = {0};
    uint8_t bytes[TCP_OPTIONS_MAX];
    uint32_t length = opt_emit(&out, bytes);

    FUZZ_CHECK(length <= sizeof bytes && length % 4 == 0, "%u bytes", length);
    FUZZ_CHECK(opt_parse(bytes, length, flags & TCP_SYN, &options), "our own options");
    FUZZ_CHECK(options.mss == (flags & TCP_SYN ? mss : 0), "MSS %u became %u", mss, options.mss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = {.data = data, .left = size};
    struct tcp_options options = {0};
    uint8_t first = read_u8(&in);
    bool is_syn = first & 1, ok;
    uint16_t mss = 0;
    const uint8_t *area;
    uint8_t *exact;
    size_t length;

    area = read_span(&in, TCP_OPTIONS_MAX, &length);
    exact = exact_copy(area, length);
    ok = walk(exact, length, &mss);
    FUZZ_CHECK(opt_parse(exact, (uint32_t)length, is_syn, &options) == ok, "legal: %d", ok);
    if (ok)
        FUZZ_CHECK(options.mss == (is_syn ? mss : 0), "MSS %u, not %u", options.mss, mss);
    check_emit(first & 2 ? TCP_SYN : TCP_ACK, first & 4 ? mss : 0);
    free(exact);
    return 0;
}
