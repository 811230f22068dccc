/* SPDX-License-Identifier: MIT */

/* A thread between a host's journal and a capture file.
 *
 * The thread waits for the journal (weir_host_journal_take), writes what it got, and waits again. In
 * a quiet network it wants to be called for the first packet, so that somebody who watches sees it
 * at once. After a packet others are near: then it asks to be called when half of the memory is
 * full, or after LATENCY. A busy node is therefore asked for its journal some two hundred times a
 * second, and not once a packet.
 *
 * The life of a recorder has one end, however it comes about: the thread stops the journal, takes
 * what is left of it, closes the file, and makes `fd` readable.
 *
 *     start ── [open FIFO] ── take, write, take, write … ─┬─ stop asked ──┐
 *                                                         ├─ write fails ─┼─ close ── fd
 *                                                         └─ host gone ───┘
 *
 * A FIFO is opened in the thread, since that waits for a reader. If the recorder is stopped before
 * one has come, stop opens the reading end itself, which lets the thread go; the thread closes that
 * end, and finds that nobody reads. Whoever of the two sees the other's step closes it: each first
 * takes its own step and then looks.
 *
 * All signals are blocked in the thread: they belong to the program's own, and SIGPIPE and SIGXFSZ
 * are to be errors of write(2) here.
 *
 * Limits: two pieces of memory of JOURNAL bytes, of which only what is used is ever touched. At 1400
 * bytes a packet a piece holds 5,700 packets: the writer may be away for 16 ms at 4 Gbit/s. */

#include <errno.h>
#include <fcntl.h>
#include <lab/recorder.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define JOURNAL ((size_t)8 * 1024 * 1024)
#define LATENCY (5 * WEIR_MS)

struct recorder {
    struct weir_host *host;
    struct capture *capture; /* the thread's; NULL: not open yet */
    struct capture_options options;
    char *path;
    void *memory[2];
    int fd;             /* readable: it has ended */
    atomic_int hold_fd; /* reading end that lets the thread go; -1: none */
    atomic_bool is_open, is_stopped;
    atomic_bool is_given_up; /* stopped before it was open */
    int error;               /* negative errno; final once it has ended */
    pthread_t thread;
    pthread_mutex_t lock; /* of counts */
    struct capture_counts counts;
};

static void ring(int event_fd)
{
    const uint64_t one = 1;

    (void)!write(event_fd, &one, sizeof(one));
}

/* ---- The thread ----------------------------------------------------------------------------------- */

static void publish(struct recorder *recorder)
{
    pthread_mutex_lock(&recorder->lock);
    capture_counts(recorder->capture, &recorder->counts);
    pthread_mutex_unlock(&recorder->lock);
}

static void let_go(struct recorder *recorder)
{
    int fd = atomic_exchange(&recorder->hold_fd, -1);

    if (fd >= 0)
        close(fd);
}

/* Waits for the reader, if that was not done before. */
static bool open_fifo(struct recorder *recorder)
{
    if (recorder->capture)
        return true;
    recorder->capture = capture_open(recorder->path, &recorder->options);
    if (!recorder->capture)
        recorder->error = -errno;
    atomic_store(&recorder->is_open, true);
    let_go(recorder);
    return recorder->capture != NULL;
}

static void name_interfaces(struct recorder *recorder)
{
    capture_name_all(recorder->capture, 0, weir_host_lock(recorder->host), "");
    weir_host_unlock(recorder->host);
}

static void record(struct recorder *recorder)
{
    struct weir_journal spare = {.bytes = recorder->memory[1], .size = JOURNAL};
    bool is_busy = false;
    int result = 0;

    while (result >= 0) {
        if (is_busy)
            result = weir_host_journal_take(recorder->host, &spare, JOURNAL / 2, LATENCY);
        else
            result = weir_host_journal_take(recorder->host, &spare, 1, WEIR_NEVER);
        is_busy = result > 0;
        if (!is_busy)
            continue;
        capture_take(recorder->capture, &spare);
        if (capture_flush(recorder->capture) < 0 && !recorder->error) {
            recorder->error = capture_flush(recorder->capture);
            weir_host_journal_stop(recorder->host);
        }
        publish(recorder);
    }
}

/* The journal that nobody writes any more. */
static void discard(struct recorder *recorder)
{
    struct weir_journal spare = {.bytes = recorder->memory[1], .size = JOURNAL};

    weir_host_journal_stop(recorder->host);
    while (weir_host_journal_take(recorder->host, &spare, 1, WEIR_NEVER) > 0)
        spare.used = spare.missed = 0;
}

static void *run(void *argument)
{
    struct recorder *recorder = argument;
    int error;

    if (open_fifo(recorder)) {
        name_interfaces(recorder);
        record(recorder);
        publish(recorder);
        error = capture_close(recorder->capture);
        if (!recorder->error)
            recorder->error = error;
        if (recorder->error == -EPIPE &&
            (recorder->counts.bytes == 0 || atomic_load(&recorder->is_given_up)))
            recorder->error = -ECANCELED;
    } else {
        discard(recorder);
    }
    ring(recorder->fd);
    return NULL;
}

/* ---- Beginning and end ----------------------------------------------------------------------------- */

static weir_time read_clock(clockid_t id)
{
    struct timespec spec;

    clock_gettime(id, &spec);
    return (weir_time)spec.tv_sec * WEIR_SECOND + spec.tv_nsec;
}

static void recorder_free(struct recorder *recorder)
{
    if (recorder->fd >= 0)
        close(recorder->fd);
    if (recorder->options.stop_fd >= 0)
        close(recorder->options.stop_fd);
    pthread_mutex_destroy(&recorder->lock);
    free(recorder->memory[0]);
    free(recorder->memory[1]);
    free(recorder->path);
    free(recorder);
}

static struct recorder *recorder_create(struct weir_host *host, const char *path)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));

    if (!recorder)
        return NULL;
    pthread_mutex_init(&recorder->lock, NULL);
    recorder->host = host;
    atomic_store(&recorder->hold_fd, -1);
    recorder->options.epoch = read_clock(CLOCK_REALTIME) - weir_host_now();
    recorder->options.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    recorder->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    recorder->path = strdup(path);
    recorder->memory[0] = malloc(JOURNAL);
    recorder->memory[1] = malloc(JOURNAL);
    if (recorder->fd >= 0 && recorder->options.stop_fd >= 0 && recorder->path &&
        recorder->memory[0] && recorder->memory[1])
        return recorder;
    recorder_free(recorder);
    return NULL;
}

/* Files are opened here, so that what is wrong with them is told at once. */
static bool open_file(struct recorder *recorder)
{
    struct stat status;

    if (stat(recorder->path, &status) == 0 && S_ISFIFO(status.st_mode))
        return true;
    atomic_store(&recorder->is_open, true);
    recorder->capture = capture_open(recorder->path, &recorder->options);
    return recorder->capture != NULL;
}

static bool start_thread(struct recorder *recorder)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&recorder->thread, NULL, run, recorder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

static struct recorder *refuse(struct recorder *recorder, char *error, const char *path,
                               const char *why)
{
    snprintf(error, RECORDER_ERROR_TEXT, "capture: %.160s: %s", path, why);
    if (recorder) {
        capture_close(recorder->capture);
        recorder_free(recorder);
    }
    return NULL;
}

struct recorder *recorder_start(struct weir_host *host, const char *path, char *error)
{
    struct recorder *recorder = recorder_create(host, path);

    if (!recorder)
        return refuse(NULL, error, path, strerror(ENOMEM));
    if (!open_file(recorder))
        return refuse(recorder, error, path, strerror(errno));
    if (weir_host_journal_start(host, recorder->memory[0], JOURNAL) != 0)
        return refuse(recorder, error, path, "the node is being captured already");
    if (!start_thread(recorder)) {
        discard(recorder);
        return refuse(recorder, error, path, "no thread");
    }
    return recorder;
}

int recorder_fd(const struct recorder *recorder)
{
    return recorder->fd;
}

void recorder_stop(struct recorder *recorder)
{
    if (atomic_exchange(&recorder->is_stopped, true))
        return;
    if (!atomic_load(&recorder->is_open)) {
        atomic_store(&recorder->is_given_up, true);
        atomic_store(&recorder->hold_fd, open(recorder->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        if (atomic_load(&recorder->is_open))
            let_go(recorder);
    }
    ring(recorder->options.stop_fd);
    weir_host_journal_stop(recorder->host);
}

void recorder_counts(struct recorder *recorder, struct capture_counts *counts)
{
    pthread_mutex_lock(&recorder->lock);
    *counts = recorder->counts;
    pthread_mutex_unlock(&recorder->lock);
}

int recorder_finish(struct recorder *recorder, struct capture_counts *counts)
{
    int error;

    if (!recorder)
        return 0;
    recorder_stop(recorder);
    pthread_join(recorder->thread, NULL);
    if (counts)
        *counts = recorder->counts;
    error = recorder->error;
    recorder_free(recorder);
    return error;
}
