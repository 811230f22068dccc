/* SPDX-License-Identifier: MIT */

/* A transport of the reliable edition that is right, and as unlike ours as the rules allow: data and
 * FIN travel without ACK flag and with th_ack 0, handshakes block, a segment beyond the window is
 * answered, what is out of order is dropped, a FIN does not wait for the window, buffers hold the largest
 * segment that the rules allow and no more, and random numbers are those of a generator that nobody has
 * seeded. stcp-check must find nothing wrong with it: it checks the rules, not our way to keep them.
 *
 * C90 and C++98. There is no timer: the network loses nothing. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include "mysock.h"
#include "stcp_api.h"
#include "transport.h"

#define WINDOW 3072
#define PACKET_MAX 596 /* the largest header and the most data */

typedef struct {
    mysocket_t sd;
    tcp_seq isn, next, acked, expected;
    int window;
    int wants_close, fin_sent, fin_acked, fin_seen;
} context_t;

void our_dprintf(const char *format, ...)
{
    (void)format;
}

static void put(context_t *ctx, int flags, tcp_seq seq, const char *data, size_t length)
{
    char packet[sizeof(STCPHeader) + STCP_MSS];
    STCPHeader *header = (STCPHeader *)packet;

    memset(header, 0, sizeof(*header));
    header->th_seq = htonl(seq);
    if (flags & TH_ACK)
        header->th_ack = htonl(ctx->expected);
    header->th_off = 5;
    header->th_flags = (uint8_t)flags;
    header->th_win = htons(WINDOW);
    memcpy(packet + sizeof(*header), data, length);
    stcp_network_send(ctx->sd, packet, sizeof(*header) + length, NULL);
}

static void put_ack(context_t *ctx)
{
    put(ctx, TH_ACK, ctx->next, "", 0);
}

static int space(const context_t *ctx)
{
    return MIN(ctx->window, WINDOW) - (int)(ctx->next - ctx->acked);
}

/* -1: the peer is lost. */
static long get(context_t *ctx, char *packet)
{
    long length = (long)stcp_network_recv(ctx->sd, packet, PACKET_MAX);

    return length > 0 ? length : -1;
}

static void take_ack(context_t *ctx, const STCPHeader *header)
{
    tcp_seq ack = ntohl(header->th_ack);

    if (header->th_flags & TH_ACK) {
        if (ack - ctx->acked <= ctx->next - ctx->acked) {
            ctx->acked = ack;
            ctx->window = ntohs(header->th_win);
        }
        if (ctx->fin_sent && ack == ctx->next)
            ctx->fin_acked = 1;
    }
}

static void take_data(context_t *ctx, const STCPHeader *header, const char *data, int length)
{
    int32_t old = (int32_t)(ctx->expected - ntohl(header->th_seq));
    int is_fin = (header->th_flags & TH_FIN) != 0;

    if (length + is_fin == 0)
        return;
    if (!ctx->fin_seen && old >= 0 && old <= length) {
        if (length > old)
            stcp_app_send(ctx->sd, data + old, (size_t)(length - old));
        ctx->expected += (tcp_seq)(length - old);
        if (is_fin) {
            ctx->expected++;
            ctx->fin_seen = 1;
            stcp_fin_received(ctx->sd);
        }
    }
    put_ack(ctx);
}

static int take(context_t *ctx)
{
    char packet[PACKET_MAX];
    long length = get(ctx, packet);
    const STCPHeader *header = (const STCPHeader *)packet;
    size_t start = TCP_DATA_START(packet);

    if (length < 0)
        return -1;
    take_ack(ctx, header);
    take_data(ctx, header, packet + start, (int)(length - (long)start));
    return 0;
}

static void give(context_t *ctx)
{
    char data[STCP_MSS];
    size_t length = stcp_app_recv(ctx->sd, data, (size_t)MIN(space(ctx), STCP_MSS));

    put(ctx, 0, ctx->next, data, length);
    ctx->next += (tcp_seq)length;
}

static int connect_actively(context_t *ctx)
{
    char packet[PACKET_MAX];
    const STCPHeader *header = (const STCPHeader *)packet;

    put(ctx, TH_SYN, ctx->isn, "", 0);
    do {
        if (get(ctx, packet) < 0)
            return -1;
    } while (!(header->th_flags & TH_SYN));
    ctx->expected = ntohl(header->th_seq) + 1;
    ctx->window = ntohs(header->th_win);
    if (header->th_flags & TH_ACK) {
        ctx->acked = ctx->next;
        put_ack(ctx);
        return 0;
    }
    put(ctx, TH_SYN | TH_ACK, ctx->isn, "", 0);
    return 1;
}

static int connect_passively(context_t *ctx)
{
    char packet[PACKET_MAX];
    const STCPHeader *header = (const STCPHeader *)packet;

    if (get(ctx, packet) < 0)
        return -1;
    ctx->expected = ntohl(header->th_seq) + 1;
    ctx->window = ntohs(header->th_win);
    put(ctx, TH_SYN | TH_ACK, ctx->isn, "", 0);
    return 1;
}

/* Takes segments until our SYN is acknowledged; the one that does it may carry more. */
static int wait_for_ack(context_t *ctx)
{
    while (ctx->acked != ctx->next)
        if (take(ctx) < 0)
            return -1;
    return 0;
}

static void run(context_t *ctx)
{
    while (!(ctx->fin_acked && ctx->fin_seen)) {
        unsigned int wanted = NETWORK_DATA | (space(ctx) > 0 && !ctx->fin_sent ? APP_DATA : 0);
        unsigned int event = stcp_wait_for_event(ctx->sd, wanted, NULL);

        if ((event & NETWORK_DATA) && take(ctx) < 0)
            return;
        if ((event & APP_DATA) && space(ctx) > 0)
            give(ctx);
        if (event & APP_CLOSE_REQUESTED)
            ctx->wants_close = 1;
        if (ctx->wants_close && !ctx->fin_sent) {
            put(ctx, TH_FIN, ctx->next++, "", 0);
            ctx->fin_sent = 1;
        }
    }
}

void transport_init(mysocket_t sd, bool_t is_active)
{
    context_t context;
    int more;

    memset(&context, 0, sizeof(context));
    context.sd = sd;
    context.isn = (tcp_seq)rand() & 255;
    context.acked = context.isn;
    context.next = context.isn + 1;
    more = is_active ? connect_actively(&context) : connect_passively(&context);
    if (more < 0 || (more > 0 && wait_for_ack(&context) < 0)) {
        errno = ECONNREFUSED;
        stcp_unblock_application(sd);
        return;
    }
    errno = 0;
    stcp_unblock_application(sd);
    run(&context);
}
