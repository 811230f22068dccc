/* SPDX-License-Identifier: MIT */

/* Initial sequence numbers: RFC 6528, RFC 9293 3.4.1.
 *
 * ISN = M + F(4-tuple, secret). M is a clock of 4 µs [MUST-8, SHLD-1], which makes successive
 * connections of one tuple climb through the sequence space; F is the keyed digest of the flow, which
 * makes one tuple's numbers say nothing about another's [MUST-9]. The digest comes from the flow
 * table, whose key is the stack's secret. */

#include <tcp/tcp.h>

weir_seq tcp_isn(uint64_t digest, weir_time now)
{
    return (weir_seq)(digest ^ (digest >> 32)) + (weir_seq)((uint64_t)now / (4 * WEIR_US));
}
