/* SPDX-License-Identifier: MIT */

/* Maximum segment size, kind 2: RFC 9293 3.7.1. The largest payload that the sender of the option can
 * take in one segment without IP or TCP options. On SYN segments only [MUST-14, MUST-65]. A value of
 * 0 says nothing and counts as absent. */

#include <base/bytes.h>
#include <tcp/opt.h>

void opt_mss_parse(const uint8_t *value, struct tcp_options *options)
{
    options->mss = get_u16(value);
}

uint32_t opt_mss_emit(const struct opt_out *out, uint8_t *bytes)
{
    if (!out->mss || !(out->flags & TCP_SYN))
        return 0;
    bytes[0] = 2;
    bytes[1] = 4;
    put_u16(bytes + 2, out->mss);
    return 4;
}
