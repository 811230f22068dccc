/* SPDX-License-Identifier: MIT */

/* From journals to a file of pcapng blocks.
 *
 *     journal ── entries ── blocks ── buffer ── write(2) in big pieces ── file, FIFO, device
 *
 * The library makes the blocks (weir/pcapng.h); here they are gathered in a buffer of BUFFER bytes
 * and written when it is full or somebody flushes. An interface gets its block when it is named or
 * has its first packet; its number in the file is found by stack and index without a search.
 *
 * What can go wrong: no room on the disk (ENOSPC), a limit on the size of files (EFBIG), nobody who
 * reads the pipe any more (EPIPE). The first error is kept and told by flush and close, and nothing
 * more is written. A file is then cut back to the last whole block, so that it can be read to its
 * end without a complaint; a pipe cannot be. Packets of the buffer that were not written count as
 * missing.
 *
 * A FIFO is opened for writing like a file, which waits for its reader; after that it is never
 * waited for without an end: when `stop_fd` becomes readable the reader has CAPTURE_GRACE to take the
 * rest. Regular files are written without asking whether they are ready; the system knows no such
 * question for them.
 *
 * Limits: 65,536 stacks, WEIR_IFACES_MAX interfaces each; others' packets are left out. */

#include <errno.h>
#include <fcntl.h>
#include <lab/capture.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/inspect.h>
#include <weir/sim.h>

#define BUFFER (256u * 1024u)
#define JOURNAL (4u * 1024u * 1024u)
#define SOURCES_MAX 65536u
#define PACKET_BLOCK 6u              /* the type of an enhanced packet block, pcapng 4.3 */
#define IFACES (WEIR_IFACES_MAX + 1) /* the loopback has the first place */

struct iface {
    bool is_known;
    uint32_t number;
    uint64_t packets;
};

struct capture {
    struct capture_options options;
    int fd;
    int error; /* errno of the first failure */
    bool is_file;
    int only;               /* the stack that counts, or CAPTURE_ALL */
    weir_time give_up;      /* when a reader's grace ends; 0: nobody has asked to stop */
    struct iface **sources; /* a table of interfaces each, or NULL */
    uint32_t source_count, number_count;
    struct capture_counts counts;
    uint64_t untold;             /* packets missing of which counts.missed does not know */
    weir_time last;              /* time of the last packet */
    struct weir_journal journal; /* of our own, with memory once somebody has asked */
    size_t used;
    uint8_t buffer[BUFFER];
};

/* ---- Writing ------------------------------------------------------------------------------------ */

static weir_time monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * WEIR_SECOND + now.tv_nsec;
}

/* Milliseconds until the grace is over, at least 1 if it is not. */
static int grace_left(struct capture *capture)
{
    weir_time now = monotonic();

    if (!capture->give_up)
        capture->give_up = now + CAPTURE_GRACE;
    return now < capture->give_up ? (int)((capture->give_up - now) / WEIR_MS) + 1 : 0;
}

/* Waits until the pipe takes something. False: it has had its time. */
static bool wait_for_room(struct capture *capture)
{
    struct pollfd fds[2] = {{.fd = capture->fd, .events = POLLOUT},
                            {.fd = capture->options.stop_fd, .events = POLLIN}};
    int timeout = -1;

    for (;;) {
        int ready = poll(fds, capture->give_up ? 1 : 2, timeout);

        if (ready > 0 && fds[0].revents)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready == 0 || (ready > 0 && fds[1].revents) || capture->give_up)
            timeout = grace_left(capture);
        if (timeout == 0) {
            errno = ETIMEDOUT;
            return false;
        }
    }
}

static size_t read_word(const uint8_t *field)
{
    return (size_t)field[0] | (size_t)field[1] << 8 | (size_t)field[2] << 16 |
           (size_t)field[3] << 24;
}

/* Bytes of the whole blocks among the first `length` of the buffer; of packets behind them, *lost. */
static size_t whole_blocks(const struct capture *capture, size_t length, uint64_t *lost)
{
    size_t whole = 0, at = 0;

    *lost = 0;
    while (at < capture->used) {
        const uint8_t *block = capture->buffer + at;

        at += read_word(block + 4);
        if (at <= length)
            whole = at;
        else if (read_word(block) == PACKET_BLOCK)
            ++*lost;
    }
    return whole;
}

static void fail(struct capture *capture, size_t written)
{
    uint64_t lost;

    capture->error = errno ? errno : EIO;
    capture->counts.bytes += whole_blocks(capture, written, &lost);
    capture->counts.packets -= lost;
    capture->counts.missed += lost;
    if (capture->is_file && ftruncate(capture->fd, (off_t)capture->counts.bytes) != 0)
        return; /* a reader will say that the file is cut short, as it is */
}

int capture_flush(struct capture *capture)
{
    size_t written = 0;

    while (written < capture->used && !capture->error) {
        ssize_t count = write(capture->fd, capture->buffer + written, capture->used - written);

        if (count > 0)
            written += (size_t)count;
        else if (count < 0 && errno != EINTR && (errno != EAGAIN || !wait_for_room(capture)))
            fail(capture, written);
    }
    if (!capture->error)
        capture->counts.bytes += capture->used;
    capture->used = 0;
    return -capture->error;
}

/* Room for a block with a packet of `length` bytes. */
static bool make_room(struct capture *capture, size_t length)
{
    size_t need = length + WEIR_PCAPNG_BLOCK_MAX;

    if (need > BUFFER - capture->used)
        capture_flush(capture);
    return !capture->error && need <= BUFFER - capture->used;
}

static void took(struct capture *capture, long bytes)
{
    if (bytes > 0)
        capture->used += (size_t)bytes;
}

/* ---- Interfaces --------------------------------------------------------------------------------- */

static bool grow(struct capture *capture, uint32_t source)
{
    uint32_t count = capture->source_count ? capture->source_count : 1;
    struct iface **sources;

    while (count <= source)
        count *= 2;
    if (count == capture->source_count)
        return true;
    sources = realloc(capture->sources, count * sizeof(*sources));
    if (!sources)
        return false;
    memset(sources + capture->source_count, 0, (count - capture->source_count) * sizeof(*sources));
    capture->sources = sources;
    capture->source_count = count;
    return true;
}

/* The place of an interface; NULL: beyond the limits, or no memory. */
static struct iface *place_of(struct capture *capture, uint32_t source, int iface)
{
    if (iface < WEIR_JOURNAL_LOOPBACK || iface >= WEIR_IFACES_MAX || source >= SOURCES_MAX)
        return NULL;
    if (source >= capture->source_count && !grow(capture, source))
        return NULL;
    if (!capture->sources[source])
        capture->sources[source] = calloc(IFACES, sizeof(struct iface));
    return capture->sources[source] ? &capture->sources[source][iface + 1] : NULL;
}

void capture_name(struct capture *capture, uint32_t source, int iface,
                  const struct weir_pcapng_interface *row)
{
    struct iface *place = place_of(capture, source, iface);

    if (!place || place->is_known || !make_room(capture, 0))
        return;
    place->is_known = true;
    place->number = capture->number_count++;
    took(capture,
         weir_pcapng_interface(capture->buffer + capture->used, BUFFER - capture->used, row));
}

void capture_name_all(struct capture *capture, uint32_t source, const struct weir_stack *stack,
                      const char *prefix)
{
    struct weir_iface_row row;
    char name[100];

    for (int iface = 0; weir_inspect_iface(stack, iface, &row) == 0; iface++) {
        struct weir_pcapng_interface shown = {.name = name, .addr = row.addr};

        snprintf(name, sizeof(name), "%.60s%s", prefix, row.name);
        shown.prefix_bits = row.prefix.bits >= 96 ? row.prefix.bits - 96 : 0;
        capture_name(capture, source, iface, &shown);
    }
}

static void name_stranger(struct capture *capture, const struct weir_journal_entry *entry)
{
    char name[40] = "", *at = name;
    const struct weir_pcapng_interface row = {.name = name};

    if (entry->source > 0)
        at += snprintf(name, sizeof(name), "n%u.", entry->source);
    if (entry->iface == WEIR_JOURNAL_LOOPBACK)
        strcpy(at, "lo");
    else
        snprintf(at, 20, "if%d", entry->iface);
    capture_name(capture, entry->source, entry->iface, &row);
}

/* ---- Packets ------------------------------------------------------------------------------------ */

/* False: it is not in the file. */
static bool put_packet(struct capture *capture, const struct weir_journal_entry *entry)
{
    struct iface *place = place_of(capture, entry->source, entry->iface);

    if (place && !place->is_known)
        name_stranger(capture, entry);
    if (!place || !place->is_known || !make_room(capture, entry->length))
        return false;
    took(capture, weir_pcapng_packet(capture->buffer + capture->used, BUFFER - capture->used,
                                     place->number, capture->options.epoch, entry));
    place->packets++;
    capture->counts.packets++;
    capture->last = entry->at + capture->options.epoch;
    return true;
}

struct weir_journal *capture_journal(struct capture *capture)
{
    if (!capture->journal.bytes) {
        capture->journal.bytes = malloc(JOURNAL);
        capture->journal.size = capture->journal.bytes ? JOURNAL : 0;
    }
    return capture->journal.bytes ? &capture->journal : NULL;
}

/* The entry at *at, which is ours to change. */
static struct weir_journal_entry *next_entry(struct weir_journal *journal, size_t *at)
{
    struct weir_journal_entry *entry = (void *)(journal->bytes + *at);

    return weir_journal_next(journal, at) ? entry : NULL;
}

void capture_take(struct capture *capture, struct weir_journal *journal)
{
    struct weir_journal_entry *entry;
    size_t at = 0;

    if (!capture)
        return;
    if (!journal)
        journal = &capture->journal;
    while ((entry = next_entry(journal, &at)) != NULL) {
        if (capture->only != CAPTURE_ALL && entry->source != (uint32_t)capture->only)
            continue;
        entry->missed += capture->untold;
        capture->counts.missed += entry->missed;
        capture->untold = put_packet(capture, entry) ? 0 : 1;
    }
    capture->untold += journal->missed;
    journal->missed = 0;
    journal->used = 0;
}

/* ---- Simulations -------------------------------------------------------------------------------- */

static void take_of_sim(void *context, struct weir_sim *sim, struct weir_journal *journal)
{
    (void)sim;
    capture_take(context, journal);
}

bool capture_sim(struct capture *capture, struct weir_sim *sim, int only)
{
    struct weir_journal *journal = capture_journal(capture);
    char prefix[20];

    if (!journal)
        return false;
    capture->only = only;
    for (int node = 0; node < weir_sim_node_count(sim); node++) {
        if (only != CAPTURE_ALL && node != only)
            continue;
        snprintf(prefix, sizeof(prefix), "n%d.", node);
        capture_name_all(capture, (uint32_t)node, weir_sim_stack(sim, node), prefix);
    }
    weir_sim_set_journal(sim, journal, take_of_sim, capture);
    return true;
}

void capture_sim_stop(struct capture *capture, struct weir_sim *sim)
{
    weir_sim_set_journal(sim, NULL, NULL, NULL);
    capture_take(capture, NULL);
}

/* ---- Beginning and end --------------------------------------------------------------------------- */

void capture_counts(const struct capture *capture, struct capture_counts *counts)
{
    *counts = capture->counts;
    counts->missed += capture->untold;
}

/* Waits for the reader of a FIFO; everything after that is asked for room first. */
static int open_fd(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

struct capture *capture_open(const char *path, const struct capture_options *options)
{
    struct capture *capture = calloc(1, sizeof(*capture));
    struct stat status;
    int error;

    if (!capture)
        return NULL;
    capture->options.stop_fd = -1;
    capture->only = CAPTURE_ALL;
    if (options)
        capture->options = *options;
    capture->fd = open_fd(path);
    if (capture->fd < 0) {
        error = errno;
        free(capture);
        errno = error;
        return NULL;
    }
    capture->is_file = fstat(capture->fd, &status) == 0 && S_ISREG(status.st_mode);
    took(capture, weir_pcapng_section(capture->buffer, BUFFER, "weir"));
    return capture;
}

static void put_counts(struct capture *capture, const struct iface *place, uint64_t missed)
{
    const struct weir_pcapng_counts counts = {.number = place->number,
                                              .at = capture->last,
                                              .noted = place->packets + missed,
                                              .missed = missed};

    if (make_room(capture, 0))
        took(capture,
             weir_pcapng_counts(capture->buffer + capture->used, BUFFER - capture->used, &counts));
}

/* A block for each interface. Which one missing packets were for is not known; the first tells. */
static void put_all_counts(struct capture *capture)
{
    uint64_t missed = capture->counts.missed;

    for (uint32_t source = 0; source < capture->source_count; source++) {
        for (int index = 0; capture->sources[source] && index < IFACES; index++) {
            const struct iface *place = &capture->sources[source][index];

            if (!place->is_known)
                continue;
            put_counts(capture, place, missed);
            missed = 0;
        }
    }
}

/* What a pipe holds that nobody will read is lost. */
static bool has_lost_reader(const struct capture *capture)
{
    struct pollfd fd = {.fd = capture->fd};

    return !capture->is_file && poll(&fd, 1, 0) == 1 && fd.revents & POLLERR;
}

int capture_close(struct capture *capture)
{
    int error;

    if (!capture)
        return 0;
    capture_take(capture, NULL);
    capture->counts.missed += capture->untold;
    put_all_counts(capture);
    error = capture_flush(capture);
    if (error == 0 && has_lost_reader(capture))
        error = -EPIPE;
    if (close(capture->fd) != 0 && error == 0)
        error = -errno;
    for (uint32_t source = 0; source < capture->source_count; source++)
        free(capture->sources[source]);
    free(capture->sources);
    free(capture->journal.bytes);
    free(capture);
    return error;
}
