/* SPDX-License-Identifier: MIT */

/* struct tcp_info as Linux fills it, from weir's; and the nine words of SO_MEMINFO.
 *
 * Linux counts the network in segments, weir in bytes: cwnd, ssthresh and what is unacknowledged are
 * divided by the send MSS. An ssthresh that was never set is 0x7fffffff. Times are microseconds, or
 * milliseconds where the name begins with last_, and then since that moment. States have Linux's
 * numbers (TCP_ESTABLISHED is 1), and recovery is TCP_CA_Open 0, TCP_CA_Disorder 1 while duplicate ACKs
 * are counted, TCP_CA_Recovery 3 or TCP_CA_Loss 4; CWR belongs to mechanisms that are not here. Without
 * SACK Linux takes each duplicate ACK for a segment that arrived, and so does what stands here.
 *
 * The struct grows at its end with every kernel, and a caller that knows a longer one than the headers
 * we are built with must get all of it: what is given out is as long as that of Linux 6.18, the
 * longest so far, and of what our headers may lack it holds tcpi_rcv_wnd.
 *
 * What weir has no notion of is 0 in the struct, and scripts that ask for it by name are told that it
 * has no value: a table says which fields are true. */

#include <lab/linux/info.h>
#include <lab/linux/internal.h>
#include <linux/tcp.h>
#include <string.h>

#define RCV_WND_OFFSET 232 /* of tcpi_rcv_wnd, Linux 6.2 */
#define SSTHRESH_INFINITE 0x7fffffffu
#define MEMINFO_RCVBUF 1
#define MEMINFO_WMEM_ALLOC 2
#define MEMINFO_SNDBUF 3
#define MEMINFO_WMEM_QUEUED 5

/* ---- Names --------------------------------------------------------------------------------------------- */

struct field {
    const char *name;
    size_t offset, size;
    bool is_known;
};

#define FIELD(name, known)                                                                  \
    {                                                                                       \
#name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name), known \
    }

static const struct field fields[] = {
    FIELD(tcpi_state, true),
    FIELD(tcpi_ca_state, true),
    FIELD(tcpi_retransmits, true),
    FIELD(tcpi_probes, true),
    FIELD(tcpi_backoff, true),
    FIELD(tcpi_options, true),
    FIELD(tcpi_rto, true),
    FIELD(tcpi_ato, false),
    FIELD(tcpi_snd_mss, true),
    FIELD(tcpi_rcv_mss, true),
    FIELD(tcpi_unacked, true),
    FIELD(tcpi_sacked, true),
    FIELD(tcpi_lost, true),
    FIELD(tcpi_retrans, true),
    FIELD(tcpi_fackets, true),
    FIELD(tcpi_last_data_sent, true),
    FIELD(tcpi_last_ack_sent, true),
    FIELD(tcpi_last_data_recv, true),
    FIELD(tcpi_last_ack_recv, true),
    FIELD(tcpi_pmtu, false),
    FIELD(tcpi_rcv_ssthresh, false),
    FIELD(tcpi_rtt, true),
    FIELD(tcpi_rttvar, true),
    FIELD(tcpi_snd_ssthresh, true),
    FIELD(tcpi_snd_cwnd, true),
    FIELD(tcpi_advmss, true),
    FIELD(tcpi_reordering, true),
    FIELD(tcpi_rcv_rtt, false),
    FIELD(tcpi_rcv_space, false),
    FIELD(tcpi_total_retrans, true),
    FIELD(tcpi_pacing_rate, false),
    FIELD(tcpi_max_pacing_rate, true),
    FIELD(tcpi_bytes_acked, true),
    FIELD(tcpi_bytes_received, true),
    FIELD(tcpi_segs_out, true),
    FIELD(tcpi_segs_in, true),
    FIELD(tcpi_notsent_bytes, true),
    FIELD(tcpi_min_rtt, true),
    FIELD(tcpi_data_segs_in, false),
    FIELD(tcpi_data_segs_out, false),
    FIELD(tcpi_delivery_rate, false),
    FIELD(tcpi_busy_time, true),
    FIELD(tcpi_rwnd_limited, true),
    FIELD(tcpi_sndbuf_limited, true),
    FIELD(tcpi_delivered, true),
    FIELD(tcpi_delivered_ce, true),
    FIELD(tcpi_bytes_sent, true),
    FIELD(tcpi_bytes_retrans, true),
    FIELD(tcpi_dsack_dups, true),
    FIELD(tcpi_reord_seen, true),
    FIELD(tcpi_rcv_ooopack, false),
    FIELD(tcpi_snd_wnd, true),
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

const char *linux_tcp_info_name(size_t index)
{
    return index < FIELDS ? fields[index].name : NULL;
}

static int64_t load(const uint8_t *at, size_t size)
{
    uint64_t wide;
    uint32_t word;

    if (size == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return (int64_t)wide;
    }
    if (size == sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        return word;
    }
    return *at;
}

bool linux_tcp_info_field(const struct tcp_info *info, const char *name, int64_t *value)
{
    size_t i;

    if (!strcmp(name, "tcpi_snd_wscale") || !strcmp(name, "tcpi_rcv_wscale")) {
        *value = name[5] == 's' ? info->tcpi_snd_wscale : info->tcpi_rcv_wscale;
        return true;
    }
    for (i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (fields[i].is_known)
            *value = load((const uint8_t *)info + fields[i].offset, fields[i].size);
        return fields[i].is_known;
    }
    return false;
}

const char *linux_meminfo_name(size_t index)
{
    static const char *const names[LINUX_MEMINFO_WORDS] = {
        "SK_MEMINFO_RMEM_ALLOC", "SK_MEMINFO_RCVBUF",    "SK_MEMINFO_WMEM_ALLOC",
        "SK_MEMINFO_SNDBUF",     "SK_MEMINFO_FWD_ALLOC", "SK_MEMINFO_WMEM_QUEUED",
        "SK_MEMINFO_OPTMEM",     "SK_MEMINFO_BACKLOG",   "SK_MEMINFO_DROPS",
    };

    return index < LINUX_MEMINFO_WORDS ? names[index] : NULL;
}

/* ---- Values -------------------------------------------------------------------------------------------- */

static uint8_t linux_state(enum weir_tcp_state state)
{
    static const uint8_t numbers[WEIR_STATE_COUNT] = {
        [WEIR_STATE_CLOSED] = 7,       [WEIR_STATE_LISTEN] = 10,     [WEIR_STATE_SYN_SENT] = 2,
        [WEIR_STATE_SYN_RECEIVED] = 3, [WEIR_STATE_ESTABLISHED] = 1, [WEIR_STATE_FIN_WAIT_1] = 4,
        [WEIR_STATE_FIN_WAIT_2] = 5,   [WEIR_STATE_CLOSE_WAIT] = 8,  [WEIR_STATE_CLOSING] = 11,
        [WEIR_STATE_LAST_ACK] = 9,     [WEIR_STATE_TIME_WAIT] = 6,
    };

    return numbers[state];
}

static uint32_t segments(uint32_t bytes, uint32_t mss)
{
    return mss ? bytes / mss : 0;
}

static uint32_t microseconds(weir_time time)
{
    return time > UINT32_MAX * WEIR_US ? UINT32_MAX : (uint32_t)(time / WEIR_US);
}

/* The back-off of a closed window's probes lasts until it opens, though each answer ends the count of
 * those that nobody answered. Neither are retransmissions. */
static void fill_probes(const struct weir_tcp_info *from, struct tcp_info *to)
{
    bool is_persist = linux_unsent(from) > 0;

    to->tcpi_retransmits = 0;
    to->tcpi_backoff = is_persist ? (uint8_t)from->probes : 0;
    to->tcpi_probes = is_persist ? (uint8_t)from->backoffs : (uint8_t)from->probes;
}

static void fill_state(const struct weir_tcp_info *from, struct tcp_info *to)
{
    static const uint8_t ca_states[] = {0, 3, 4};

    to->tcpi_state = linux_state(from->state);
    to->tcpi_ca_state = ca_states[from->congestion_recovery % 3];
    to->tcpi_retransmits = (uint8_t)from->backoffs;
    to->tcpi_backoff = (uint8_t)from->backoffs;
    if (from->probes && !from->segments_unacked)
        fill_probes(from, to);
    to->tcpi_snd_mss = from->mss;
    to->tcpi_rcv_mss = from->rcv_mss;
    to->tcpi_advmss = from->advertised_mss;
    to->tcpi_snd_cwnd = segments(from->cwnd, from->mss);
    to->tcpi_snd_ssthresh = from->ssthresh >= SSTHRESH_INFINITE
                                ? SSTHRESH_INFINITE
                                : segments(from->ssthresh, from->mss);
    to->tcpi_snd_wnd = from->snd_wnd;
    to->tcpi_max_pacing_rate = UINT64_MAX;
}

/* At least one of what is out is the one that the duplicate ACKs wait for. */
static uint32_t sacked(const struct weir_tcp_info *from)
{
    uint32_t most = from->segments_unacked ? from->segments_unacked - 1 : 0;

    return from->duplicate_acks < most ? from->duplicate_acks : most;
}

static void fill_flight(const struct weir_tcp_info *from, struct tcp_info *to)
{
    to->tcpi_unacked = from->segments_unacked;
    to->tcpi_sacked = sacked(from);
    if (!to->tcpi_ca_state && to->tcpi_sacked)
        to->tcpi_ca_state = TCP_CA_Disorder;
    to->tcpi_lost = from->segments_lost;
    to->tcpi_retrans = from->segments_retransmitted;
    to->tcpi_reordering = from->reordering;
    to->tcpi_delivered = from->segments_delivered + to->tcpi_sacked;
}

static uint32_t since(weir_time then, weir_time now)
{
    return (uint32_t)((now - then) / WEIR_MS);
}

static void fill_times(const struct weir_tcp_info *from, weir_time now, struct tcp_info *to)
{
    to->tcpi_min_rtt = from->min_rtt ? microseconds(from->min_rtt) : UINT32_MAX;
    to->tcpi_last_data_sent = since(from->last_data_sent, now);
    to->tcpi_last_data_recv = since(from->last_data_received, now);
    to->tcpi_last_ack_recv = since(from->last_ack_received, now);
    to->tcpi_busy_time = (uint64_t)(from->busy_time / WEIR_US);
    to->tcpi_rwnd_limited = (uint64_t)(from->window_limited / WEIR_US);
    to->tcpi_sndbuf_limited = (uint64_t)(from->buffer_limited / WEIR_US);
    to->tcpi_rto = microseconds(from->rto);
    to->tcpi_rtt = microseconds(from->srtt);
    to->tcpi_rttvar = microseconds(from->rttvar);
}

static void fill_counts(const struct weir_tcp_info *from, struct tcp_info *to)
{
    to->tcpi_total_retrans = (uint32_t)from->retransmissions;
    to->tcpi_bytes_acked = from->bytes_acked;
    to->tcpi_bytes_received = from->bytes_received;
    to->tcpi_bytes_sent = from->bytes_sent + from->bytes_retransmitted;
    to->tcpi_bytes_retrans = from->bytes_retransmitted;
    to->tcpi_segs_out = (uint32_t)from->segments_sent;
    to->tcpi_segs_in = (uint32_t)from->segments_received;
}

void linux_tcp_info_from(const struct weir_tcp_info *from, weir_time now, struct tcp_info *to)
{
    memset(to, 0, sizeof(*to));
    fill_state(from, to);
    fill_flight(from, to);
    fill_times(from, now, to);
    fill_counts(from, to);
    to->tcpi_notsent_bytes = linux_unsent(from);
}

long linux_tcp_info(const struct linux_sockets *sockets, const struct linux_file *file, void *value,
                    socklen_t *length)
{
    union {
        struct tcp_info info;
        uint8_t bytes[LINUX_TCP_INFO_BYTES];
    } to = {.bytes = {0}};
    struct weir_tcp_info from;

    if (weir_tcp_info_get(sockets->stack, file->socket, sockets->now, &from) < 0)
        from = (struct weir_tcp_info){.state = WEIR_STATE_CLOSED};
    linux_tcp_info_from(&from, sockets->now, &to.info);
    memcpy(to.bytes + RCV_WND_OFFSET, &from.rcv_wnd, sizeof(from.rcv_wnd));
    return linux_put_value(&to, sizeof(to), value, length);
}

long linux_meminfo(const struct linux_sockets *sockets, const struct linux_file *file, void *value,
                   socklen_t *length)
{
    uint32_t words[LINUX_MEMINFO_WORDS] = {0};
    int64_t send = 0, receive = 0;
    struct linux_stream stream;

    weir_socket_get(sockets->stack, file->socket, WEIR_SO_SNDBUF, &send);
    weir_socket_get(sockets->stack, file->socket, WEIR_SO_RCVBUF, &receive);
    linux_stream_state(sockets, file, &stream);
    words[0] = stream.readable;
    words[MEMINFO_RCVBUF] = file->options.rcvbuf ? file->options.rcvbuf : (uint32_t)(2 * receive);
    words[MEMINFO_WMEM_ALLOC] = stream.queued - stream.unsent;
    words[MEMINFO_SNDBUF] = file->options.sndbuf ? file->options.sndbuf : (uint32_t)(2 * send);
    words[MEMINFO_WMEM_QUEUED] = stream.queued;
    return linux_put_value(words, sizeof(words), value, length);
}
