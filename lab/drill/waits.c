/* SPDX-License-Identifier: MIT */

/* poll and epoll in scripts.
 *
 *   poll([{fd=3, events=POLLIN, revents=POLLIN}, ...], 1, 0) = 1
 *   epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
 *   epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
 *
 * poll's revents are compared, all of them. epoll_wait may be given one event or a list; those that
 * were reported are compared, in any order, with their data, which may be called fd, u32, u64 or
 * ptr. A descriptor in the data is the script's number and no more than a number. */

#include <lab/drill/marshal.h>

#define EVENTS_MAX 1024

/* ---- poll ---------------------------------------------------------------------------------------------- */

static void prepare_poll(struct marshal *call, const struct value *list)
{
    const struct value *item;
    int64_t number, events;
    int i = 0;

    for (item = list ? list->items : NULL; item; item = item->next)
        call->count++;
    call->polled = arena_get(&call->arena, ((size_t)call->count + 1) * sizeof(*call->polled));
    for (item = list ? list->items : NULL; item && call->polled; item = item->next, i++) {
        const struct drill_fd *fd;

        if (!value_int(marshal_field(item, "fd"), &number) ||
            !value_int(marshal_field(item, "events"), &events)) {
            complain(call, "poll takes {fd=N, events=..., revents=...}");
            return;
        }
        fd = fd_find(call->run, number);
        call->polled[i] = (struct pollfd){.events = (short)events};
        call->polled[i].fd = number < 0 ? -1 : fd ? fd->fd : INT_MAX;
    }
}

static void check_poll(struct marshal *call, const struct value *list)
{
    const struct value *item;
    int64_t wanted;
    int i = 0;

    for (item = list ? list->items : NULL; item; item = item->next, i++) {
        unsigned found = (uint16_t)call->polled[i].revents;

        if (value_int(marshal_field(item, "revents"), &wanted) && wanted != found)
            complain(call, "revents is 0x%x, expected 0x%llx", found, (unsigned long long)wanted);
    }
}

long call_poll(struct marshal *call)
{
    const struct value *list = marshal_arg(call, 0);
    int64_t count = marshal_int(call, 1, call->count), timeout = marshal_int(call, 2, 0);
    long ready;

    if (!call->is_ready)
        prepare_poll(call, list);
    call->is_ready = true;
    if (!call->outcome->text[0] && count > call->count)
        complain(call, "poll is given fewer descriptors than it says");
    if (call->outcome->text[0])
        return -EINVAL;
    ready = linux_poll(call->run->sockets, call->polled, (nfds_t)count, (int)timeout, &call->wait);
    if (ready >= 0)
        check_poll(call, list);
    return ready;
}

/* ---- epoll --------------------------------------------------------------------------------------------- */

static bool read_event(struct marshal *call, const struct value *record, struct epoll_event *event)
{
    static const char *const names[] = {"fd", "u32", "u64", "ptr"};
    int64_t events = 0, data = 0;
    size_t i;

    *event = (struct epoll_event){0};
    if (!record || record->kind != VALUE_RECORD ||
        !value_int(marshal_field(record, "events"), &events)) {
        complain(call, "an event is {events=..., fd=N}");
        return false;
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (value_int(marshal_field(record, names[i]), &data))
            event->data.u64 = (uint64_t)data;
    event->events = (uint32_t)events;
    return true;
}

long call_epoll_create(struct marshal *call)
{
    long fd = linux_epoll_create(call->run->sockets, (int)marshal_int(call, 0, 1));

    call->outcome->makes_fd = true;
    marshal_bind_fd(call, call->line->result, fd);
    return fd;
}

long call_epoll_ctl(struct marshal *call)
{
    const struct value *record = marshal_arg(call, 3);
    struct epoll_event event, *given = NULL;

    if (record && record->kind == VALUE_RECORD && read_event(call, record, &event))
        given = &event;
    else if (record && record->kind != VALUE_ELLIPSIS && !marshal_is_null(record))
        complain(call, "an event is {events=..., fd=N}");
    return linux_epoll_ctl(call->run->sockets, marshal_fd(call, 0), (int)marshal_int(call, 1, 0),
                           marshal_fd(call, 2), given);
}

/* Takes the reported event that this record expects. */
static void check_event(struct marshal *call, const struct value *record, long *left)
{
    struct epoll_event wanted, *events = call->events;
    long i = 0;

    if (!read_event(call, record, &wanted))
        return;
    while (i < *left && events[i].data.u64 != wanted.data.u64)
        i++;
    if (i == *left)
        i = 0; /* none with this data: show the first */
    if (events[i].events != wanted.events || events[i].data.u64 != wanted.data.u64)
        complain(call, "the event is 0x%x of %llu, expected 0x%x of %llu", events[i].events,
                 (unsigned long long)events[i].data.u64, wanted.events,
                 (unsigned long long)wanted.data.u64);
    events[i] = events[--*left];
}

static void check_events(struct marshal *call, const struct value *list, long count)
{
    const struct value *item = list && list->kind == VALUE_LIST ? list->items : list;

    if (!list || list->kind == VALUE_ELLIPSIS)
        return;
    while (item && count > 0) {
        check_event(call, item, &count);
        item = list->kind == VALUE_LIST ? item->next : NULL;
    }
    if (count > 0)
        complain(call, "%ld more events were reported", count);
}

long call_epoll_wait(struct marshal *call)
{
    const struct value *list = marshal_arg(call, 1);
    int64_t max = marshal_int(call, 2, 1), timeout = marshal_int(call, 3, 0);
    long count;

    if (max > EVENTS_MAX) {
        complain(call, "epoll_wait takes at most %d events here", EVENTS_MAX);
        return -EINVAL;
    }
    if (!call->events && max > 0 && !marshal_is_null(list))
        call->events = arena_get(&call->arena, (size_t)max * sizeof(*call->events));
    count = linux_epoll_wait(call->run->sockets, marshal_fd(call, 0), call->events, (int)max,
                             (int)timeout, &call->wait);
    if (count > 0)
        check_events(call, list, count);
    return count;
}
