/* SPDX-License-Identifier: MIT */

/* Packets as structs: whatever parses can be printed, in any space, and emitted.
 *
 * The emitted packet has right lengths and checksums, and is a fixed point: parsed and emitted again
 * it gives the same bytes. What IP options and trailing bytes the input had are not kept, so the
 * comparison is between the first emission and the second, and between the fields of the structs.
 */

#include "fuzz.h"
#include <weir/packet.h>

#define PACKET_MAX 65535u

static void check_print(const struct weir_packet *packet)
{
    char full[WEIR_PACKET_TEXT];
    size_t size;

    FUZZ_CHECK(weir_packet_print(packet, full, sizeof full) == full, "print returns its text");
    FUZZ_CHECK(memchr(full, '\0', sizeof full), "not terminated");
    for (size = 1; size < 40; size += 13) {
        char *text = malloc(size);

        weir_packet_print(packet, text, size);
        FUZZ_CHECK(strlen(text) < size, "beyond the space");
        FUZZ_CHECK(strncmp(text, full, size - 1) == 0, "\"%s\" does not begin \"%s\"", text, full);
        free(text);
    }
}

static bool is_same(const struct weir_packet *a, const struct weir_packet *b)
{
    return weir_addr_equal(&a->src, &b->src) && weir_addr_equal(&a->dst, &b->dst) &&
           a->ttl == b->ttl && a->tos == b->tos && a->protocol == b->protocol && a->id == b->id &&
           a->dont_fragment == b->dont_fragment && a->more_fragments == b->more_fragments &&
           a->fragment_offset == b->fragment_offset && a->sport == b->sport &&
           a->dport == b->dport && a->seq == b->seq && a->ack == b->ack && a->window == b->window &&
           a->urgent == b->urgent && a->flags == b->flags && a->reserved == b->reserved &&
           a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code &&
           a->icmp_rest == b->icmp_rest && a->payload_length == b->payload_length &&
           (!a->payload_length || memcmp(a->payload, b->payload, a->payload_length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_packet packet, again;
    uint8_t *bytes, *twice;
    long length;

    if (weir_packet_parse(data, size, &packet) != 0)
        return 0;
    FUZZ_CHECK(packet.payload_length <= size, "more payload than packet");
    check_print(&packet);
    /* The option bytes hold what the MSS was found in; asking for another would double it. */
    packet.mss = -1;
    bytes = malloc(PACKET_MAX);
    twice = malloc(PACKET_MAX);
    length = weir_packet_emit(&packet, bytes, PACKET_MAX);
    FUZZ_CHECK(length > 0, "does not fit: %ld", length);
    FUZZ_CHECK(weir_packet_emit(&packet, twice, (size_t)length - 1) == WEIR_EMSGSIZE, "too small");
    FUZZ_CHECK(weir_packet_parse(bytes, (size_t)length, &again) == 0, "does not parse");
    FUZZ_CHECK(again.ip_checksum_ok && again.transport_checksum_ok, "checksum");
    FUZZ_CHECK(is_same(&packet, &again), "changed on the way");
    again.mss = -1;
    FUZZ_CHECK(weir_packet_emit(&again, twice, PACKET_MAX) == length, "other length");
    FUZZ_CHECK(memcmp(bytes, twice, (size_t)length) == 0, "no fixed point");
    free(bytes);
    free(twice);
    return 0;
}
