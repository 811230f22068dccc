/* SPDX-License-Identifier: MIT */

/* The table of open files: descriptors to sockets, pipes and epoll sets.
 *
 * The table is an array that grows by doubling and is indexed by the descriptor, so that a look-up
 * is one load. Where numbers come from is the caller's choice (struct linux_numbers); without one
 * the lowest free number from LINUX_FIRST_FD is taken, as Linux does with 0, 1 and 2 in use.
 *
 * The tag of a socket's events is its descriptor and the file's serial number, so that the last words
 * of a connection are not taken for those of whoever gets its descriptor next.
 *
 * A step takes the events of the stack, turns each into an edge for the epoll sets, and looks at
 * every socket that was found full: Linux tells a writer that there is room only once a third of the
 * buffer is free, and only if somebody had asked. It also notes that a FIN has come, because the
 * error that a RST makes later depends on it.
 *
 * Limits: LINUX_FDS_MAX descriptors. */

#include <lab/linux/internal.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BUFFER_MAX (4u << 20)
#define FIRST_SLOTS 64u

struct linux_sockets *linux_create(struct weir_stack *stack, const struct linux_config *config)
{
    struct linux_sockets *sockets = calloc(1, sizeof(*sockets));

    if (!sockets)
        return NULL;
    sockets->stack = stack;
    if (config)
        sockets->config = *config;
    if (!sockets->config.rmem_max)
        sockets->config.rmem_max = DEFAULT_BUFFER_MAX;
    if (!sockets->config.wmem_max)
        sockets->config.wmem_max = DEFAULT_BUFFER_MAX;
    return sockets;
}

void linux_destroy(struct linux_sockets *sockets)
{
    size_t i;

    if (!sockets)
        return;
    for (i = 0; i < sockets->slots; i++) {
        struct linux_file *file = sockets->files[i];

        if (!file)
            continue;
        if (file->socket >= 0 && !file->is_closing)
            weir_socket_close(sockets->stack, file->socket);
        linux_release(sockets, file);
    }
    free(sockets->files);
    free(sockets);
}

void linux_set_now(struct linux_sockets *sockets, weir_time now)
{
    sockets->now = now;
}

int linux_weir_socket(const struct linux_sockets *sockets, int fd)
{
    const struct linux_file *file = linux_find(sockets, fd);

    return file ? file->socket : -1;
}

struct linux_file *linux_find(const struct linux_sockets *sockets, int fd)
{
    struct linux_file *file;

    if (fd < 0 || (size_t)fd >= sockets->slots)
        return NULL;
    file = sockets->files[fd];
    return file && !file->is_closing ? file : NULL;
}

struct linux_file *linux_find_socket(const struct linux_sockets *sockets, int fd, long *error)
{
    struct linux_file *file = linux_find(sockets, fd);

    *error = file ? -ENOTSOCK : -EBADF;
    return file && (file->kind == LINUX_TCP || file->kind == LINUX_UDP) ? file : NULL;
}

static bool grow(struct linux_sockets *sockets, int fd)
{
    size_t slots = sockets->slots ? sockets->slots : FIRST_SLOTS;
    struct linux_file **files;

    while (slots <= (size_t)fd)
        slots *= 2;
    if (slots == sockets->slots)
        return true;
    files = realloc(sockets->files, slots * sizeof(struct linux_file *));
    if (!files)
        return false;
    memset(files + sockets->slots, 0, (slots - sockets->slots) * sizeof(struct linux_file *));
    sockets->files = files;
    sockets->slots = slots;
    return true;
}

static int get_number(const struct linux_sockets *sockets)
{
    size_t fd;

    if (sockets->config.numbers.get)
        return sockets->config.numbers.get(sockets->config.numbers.context);
    for (fd = LINUX_FIRST_FD; fd < LINUX_FDS_MAX; fd++)
        if (fd >= sockets->slots || !sockets->files[fd])
            return (int)fd;
    return -EMFILE;
}

static void put_number(const struct linux_sockets *sockets, int fd)
{
    if (sockets->config.numbers.put)
        sockets->config.numbers.put(sockets->config.numbers.context, fd);
}

struct linux_file *linux_open(struct linux_sockets *sockets, enum linux_kind kind, long *error)
{
    int fd = get_number(sockets);
    struct linux_file *file;

    *error = fd;
    if (fd < 0)
        return NULL;
    file = fd < LINUX_FDS_MAX && grow(sockets, fd) ? calloc(1, sizeof(*file)) : NULL;
    if (!file || sockets->files[fd]) {
        free(file);
        put_number(sockets, fd);
        *error = fd < LINUX_FDS_MAX ? -ENOMEM : -EMFILE;
        return NULL;
    }
    file->fd = fd;
    file->serial = ++sockets->serial;
    file->kind = kind;
    file->socket = -1;
    sockets->files[fd] = file;
    return file;
}

static uint64_t tag_of(const struct linux_file *file)
{
    return (uint64_t)file->serial << 32 | (uint32_t)file->fd;
}

void linux_attach(struct linux_sockets *sockets, struct linux_file *file, int socket)
{
    file->socket = socket;
    weir_socket_set_tag(sockets->stack, socket, tag_of(file));
}

void linux_release(struct linux_sockets *sockets, struct linux_file *file)
{
    linux_set_no_space(sockets, file, false);
    linux_leave_epolls(file);
    linux_epoll_free(file->epoll);
    if (file->pipe)
        linux_pipe_close(file);
    sockets->files[file->fd] = NULL;
    put_number(sockets, file->fd);
    free(file);
}

void linux_set_no_space(struct linux_sockets *sockets, struct linux_file *file, bool no_space)
{
    if (file->no_space != no_space)
        sockets->no_space += no_space ? 1 : (size_t)-1;
    file->no_space = no_space;
}

/* ---- Events ---------------------------------------------------------------------------------------- */

static uint32_t bits_of(uint32_t events)
{
    uint32_t bits = 0;

    if (events & (WEIR_IN | WEIR_ACCEPT))
        bits |= POLLIN | POLLRDNORM;
    if (events & WEIR_OUT)
        bits |= POLLOUT | POLLWRNORM;
    if (events & WEIR_HUP)
        bits |= POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP;
    if (events & WEIR_ERR)
        bits |= POLLERR;
    if (events & WEIR_PRI)
        bits |= POLLPRI;
    return bits;
}

/* The stack's OUT is an edge when the connection comes up. For room in the buffer Linux has a rule
 * of its own, which look_for_room keeps. */
static void take_event(struct linux_sockets *sockets, struct linux_file *file, uint32_t events)
{
    struct linux_stream stream;

    if (file->is_closing) {
        file->has_ended = file->has_ended || (events & WEIR_CLOSED);
        return;
    }
    if (file->kind == LINUX_TCP && !file->is_listening) {
        linux_stream_state(sockets, file, &stream);
        file->fin_seen = file->fin_seen || stream.peer_closed;
        if ((events & WEIR_OUT) && stream.queued > 0)
            events &= ~(uint32_t)WEIR_OUT;
    }
    linux_wake(file, bits_of(events));
}

static void look_for_room(struct linux_sockets *sockets)
{
    struct linux_stream stream;
    size_t i;

    for (i = 0; sockets->no_space > 0 && i < sockets->slots; i++) {
        struct linux_file *file = sockets->files[i];

        if (!file || !file->no_space)
            continue;
        linux_stream_state(sockets, file, &stream);
        if (!linux_has_room(file, &stream))
            continue;
        linux_set_no_space(sockets, file, false);
        linux_wake(file, POLLOUT | POLLWRNORM | POLLWRBAND);
    }
}

void linux_step(struct linux_sockets *sockets)
{
    struct weir_event event;

    while (weir_stack_next_event(sockets->stack, &event)) {
        size_t fd = (uint32_t)event.tag;
        struct linux_file *file = fd < sockets->slots ? sockets->files[fd] : NULL;

        if (file && event.tag == tag_of(file))
            take_event(sockets, file, event.events);
    }
    look_for_room(sockets);
}

long linux_wait_for(struct linux_wait *wait, bool dont_wait)
{
    if (dont_wait)
        return -EAGAIN;
    if (!wait->begun)
        wait->wake = WEIR_NEVER;
    wait->begun = true;
    return LINUX_WAIT;
}

/* ---- Addresses --------------------------------------------------------------------------------------- */

long linux_get_addr(const struct sockaddr *addr, socklen_t length, struct weir_endpoint *endpoint)
{
    struct sockaddr_in in;

    if (!addr)
        return -EFAULT;
    if (length < sizeof(in) || length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    memcpy(&in, addr, sizeof(in));
    if (in.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    endpoint->addr = weir_addr_from4(ntohl(in.sin_addr.s_addr));
    endpoint->port = ntohs(in.sin_port);
    return 0;
}

long linux_put_addr(const struct weir_endpoint *endpoint, struct sockaddr *addr, socklen_t *length)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};

    if (!addr || !length)
        return -EFAULT;
    if (*length > INT32_MAX)
        return -EINVAL;
    in.sin_addr.s_addr = htonl(weir_addr_to4(&endpoint->addr));
    memcpy(addr, &in, *length < sizeof(in) ? *length : sizeof(in));
    *length = sizeof(in);
    return 0;
}
