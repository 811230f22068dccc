/* SPDX-License-Identifier: MIT */

/* epoll: sets of descriptors that remember what is asked of each.
 *
 * A watch is one descriptor in one set; it hangs on two lists, the set's (in the order of turns) and
 * the file's. `is_pending` is Linux's ready list:
 *
 *   - adding or changing a watch makes it pending, so that what is ready already is reported; errors and
 *     hang-ups are asked for always;
 *   - linux_wake, called for everything that happens to a file, makes those watches pending that
 *     asked for one of the bits;
 *   - epoll_wait asks each pending watch's file what is ready now. One that is not ready is no longer
 *     pending. One that is, is reported with all its bits: edge-triggered ones are then pending no
 *     more, one-shot ones asleep until they are changed, level-triggered ones stay.
 *
 * So an edge-triggered watch is reported once for each thing that happens, and not for a thing that
 * has passed. A level-triggered watch that was found not ready needs an edge to be looked at again;
 * every way for a socket to become ready is one, but room in a buffer: hence no_space (file.c).
 *
 * These sets are not weir_interest sets, because they also watch pipes and other sets, and because
 * Linux's rule of when room is worth an edge is not weir's.
 *
 * Reported watches go to the end of the list, so that a few busy ones do not hide the rest. A set in
 * a set is asked, one level deep. Limits: what memory holds; epoll_wait costs O(members). */

#include <lab/linux/internal.h>
#include <stdlib.h>

#define ALWAYS ((uint32_t)(EPOLLERR | EPOLLHUP))
#define FLAGS ((uint32_t)(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP))

struct linux_watch {
    struct linux_watch *next;      /* of the set */
    struct linux_watch *next_same; /* of the file */
    struct linux_epoll *epoll;
    struct linux_file *file;
    uint32_t events; /* with flags; without any other bit: asleep */
    epoll_data_t data;
    bool is_pending;
};

struct linux_epoll {
    struct linux_watch *first, **end;
};

void linux_wake(struct linux_file *file, uint32_t bits)
{
    struct linux_watch *watch;

    for (watch = file->watches; watch; watch = watch->next_same)
        if ((watch->events & ~FLAGS) && (bits & (watch->events | ALWAYS)))
            watch->is_pending = true;
}

static void append(struct linux_epoll *epoll, struct linux_watch *watch)
{
    watch->next = NULL;
    *epoll->end = watch;
    epoll->end = &watch->next;
}

static void take_out(struct linux_epoll *epoll, struct linux_watch **link)
{
    *link = (*link)->next;
    if (!*link)
        epoll->end = link;
}

/* Frees it, out of both lists. */
static void remove_watch(struct linux_watch *watch)
{
    struct linux_watch **link = &watch->epoll->first;

    while (*link != watch)
        link = &(*link)->next;
    take_out(watch->epoll, link);
    link = &watch->file->watches;
    while (*link != watch)
        link = &(*link)->next_same;
    *link = watch->next_same;
    free(watch);
}

void linux_leave_epolls(struct linux_file *file)
{
    while (file->watches)
        remove_watch(file->watches);
}

void linux_epoll_free(struct linux_epoll *epoll)
{
    while (epoll && epoll->first)
        remove_watch(epoll->first);
    free(epoll);
}

long linux_epoll_create(struct linux_sockets *sockets, int size)
{
    struct linux_file *file;
    long error;

    if (size <= 0)
        return -EINVAL;
    file = linux_open(sockets, LINUX_EPOLL, &error);
    if (!file)
        return error;
    file->epoll = calloc(1, sizeof(*file->epoll));
    if (!file->epoll) {
        linux_release(sockets, file);
        return -ENOMEM;
    }
    file->epoll->end = &file->epoll->first;
    return file->fd;
}

static long add_watch(struct linux_epoll *epoll, struct linux_file *file,
                      const struct epoll_event *event)
{
    struct linux_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->epoll = epoll;
    watch->file = file;
    watch->events = event->events | ALWAYS;
    watch->data = event->data;
    watch->is_pending = true;
    watch->next_same = file->watches;
    file->watches = watch;
    append(epoll, watch);
    return 0;
}

static long change_watch(struct linux_watch *watch, const struct epoll_event *event)
{
    if ((watch->events | event->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    watch->events = event->events | ALWAYS;
    watch->data = event->data;
    watch->is_pending = true;
    return 0;
}

long linux_epoll_ctl(struct linux_sockets *sockets, int epfd, int operation, int fd,
                     struct epoll_event *event)
{
    struct linux_file *set = linux_find(sockets, epfd), *file = linux_find(sockets, fd);
    struct linux_watch *watch;

    if (operation != EPOLL_CTL_DEL && !event)
        return -EFAULT;
    if (!set || !file)
        return -EBADF;
    if (set->kind != LINUX_EPOLL || set == file)
        return -EINVAL;
    if (file->kind == LINUX_EPOLL && (file->watches || set->watches))
        return -ELOOP;
    watch = file->watches;
    while (watch && watch->epoll != set->epoll)
        watch = watch->next_same;
    switch (operation) {
    case EPOLL_CTL_ADD:
        return watch ? -EEXIST : add_watch(set->epoll, file, event);
    case EPOLL_CTL_MOD:
        return watch ? change_watch(watch, event) : -ENOENT;
    case EPOLL_CTL_DEL:
        if (watch)
            remove_watch(watch);
        return watch ? 0 : -ENOENT;
    default:
        return -EINVAL;
    }
}

static uint32_t wanted_bits(struct linux_sockets *sockets, const struct linux_watch *watch)
{
    uint32_t wanted = watch->events & ~FLAGS;

    return wanted ? linux_ready_bits(sockets, watch->file) & (wanted | ALWAYS) : 0;
}

/* One turn of a watch: true if it has something to report. A set in a set has no edges of its own. */
static bool take_report(struct linux_sockets *sockets, struct linux_watch *watch,
                        struct epoll_event *event)
{
    uint32_t bits;

    if (!watch->is_pending && watch->file->kind != LINUX_EPOLL)
        return false;
    bits = wanted_bits(sockets, watch);
    watch->is_pending = bits != 0 && !(watch->events & EPOLLET);
    if (!bits)
        return false;
    *event = (struct epoll_event){.events = bits, .data = watch->data};
    if (watch->events & EPOLLONESHOT)
        watch->events &= FLAGS;
    return true;
}

bool linux_epoll_is_ready(struct linux_sockets *sockets, const struct linux_epoll *epoll)
{
    const struct linux_watch *watch;

    for (watch = epoll->first; watch; watch = watch->next)
        if (watch->is_pending && watch->file->kind != LINUX_EPOLL && wanted_bits(sockets, watch))
            return true;
    return false;
}

static int collect(struct linux_sockets *sockets, struct linux_epoll *epoll,
                   struct epoll_event *events, int max)
{
    struct linux_watch **link = &epoll->first, *reported = NULL, **reported_end = &reported;
    int count = 0;

    while (*link && count < max) {
        struct linux_watch *watch = *link;

        if (!take_report(sockets, watch, &events[count])) {
            link = &watch->next;
            continue;
        }
        count++;
        take_out(epoll, link);
        watch->next = NULL;
        *reported_end = watch;
        reported_end = &watch->next;
    }
    if (reported) {
        *epoll->end = reported;
        epoll->end = reported_end;
    }
    return count;
}

long linux_epoll_wait(struct linux_sockets *sockets, int epfd, struct epoll_event *events, int max,
                      int timeout_ms, struct linux_wait *wait)
{
    struct linux_file *file = linux_find(sockets, epfd);
    int count;

    if (max <= 0)
        return -EINVAL;
    if (!events)
        return -EFAULT;
    if (!file)
        return -EBADF;
    if (file->kind != LINUX_EPOLL)
        return -EINVAL;
    count = collect(sockets, file->epoll, events, max);
    return count ? count : linux_wait_until(sockets, wait, timeout_ms);
}
