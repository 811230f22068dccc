/* SPDX-License-Identifier: MIT */

/* Walking the options of a header: RFC 9293 3.1, 3.2.
 *
 * Options are kind, length, value, but for end-of-list (0) and no-operation (1), which are one byte
 * [MUST-4, MUST-68]. They may stand in any segment [MUST-5], at any alignment [MUST-64]. A kind that
 * is not in the list of opt.h is skipped by its length [MUST-6]. A length below 2, one that reaches
 * past the header, or a wrong one for a known kind ends the walk: the segment is dropped [MUST-7].
 * What stands behind an end-of-list is padding [MUST-69].
 *
 * Known options are taken only where their RFC allows them: MSS only from a SYN. */

#include <string.h>
#include <tcp/opt.h>

enum { KIND_END = 0, KIND_NO_OPERATION = 1 };

static bool take(uint8_t kind, uint8_t length, const uint8_t *value, struct tcp_options *options)
{
    switch (kind) {
#define X(name, option_kind, option_length) \
    case option_kind:                       \
        if (length != (option_length))      \
            return false;                   \
        opt_##name##_parse(value, options); \
        return true;
        TCP_OPTS(X)
#undef X
    default:
        return true;
    }
}

bool opt_parse(const uint8_t *bytes, uint32_t length, bool is_syn, struct tcp_options *options)
{
    struct tcp_options found = {0};
    uint32_t at = 0;

    while (at < length && bytes[at] != KIND_END) {
        if (bytes[at] == KIND_NO_OPERATION) {
            at++;
            continue;
        }
        if (at + 2 > length || bytes[at + 1] < 2 || bytes[at + 1] > length - at)
            return false;
        if (!take(bytes[at], bytes[at + 1], bytes + at + 2, &found))
            return false;
        at += bytes[at + 1];
    }
    if (is_syn)
        *options = found;
    return true;
}

uint32_t opt_emit(const struct opt_out *out, uint8_t *bytes)
{
    uint32_t length = 0;

#define X(name, kind, option_length) length += opt_##name##_emit(out, bytes + length);
    TCP_OPTS(X)
#undef X
    while (length % 4)
        bytes[length++] = KIND_END;
    return length;
}
