/* SPDX-License-Identifier: MIT */

/* From the values of a call line to the C structs of Linux's calls.
 *
 * What a line says is made once, at the first attempt, in an arena of the call, because a call that
 * waits must be tried again with the same structs. `...` stands for something sensible: a buffer of
 * zeros of the size that is given beside it, the address that the script's options name, 0 for flags.
 * 0 and NULL are pointers to nothing, which is how scripts ask for EFAULT.
 *
 * Buffers to send are zeros unless a string is given. Buffers to receive into are zeros; if the
 * script gives a string there, it is compared with what was received, which the original does not
 * do. Records are read by the names of their fields:
 *
 *   {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.1")}
 *   {msg_name(...)=..., msg_iov(2)=[{..., 100}, {"abc", 3}], msg_flags=0,
 *    msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=10}]}
 *
 * Limits: TRANSFER_MAX bytes a buffer, the arena's in all, CONTROL_BYTES of control messages. */

#include <arpa/inet.h>
#include <lab/drill/marshal.h>
#include <lab/drill/names.h>
#include <stdarg.h>
#include <string.h>

#define CONTROL_BYTES 1024u

void complain(struct marshal *call, const char *format, ...)
{
    va_list args;

    if (call->outcome->text[0])
        return;
    va_start(args, format);
    vsnprintf(call->outcome->text, sizeof(call->outcome->text), format, args);
    va_end(args);
}

/* ---- Numbers ------------------------------------------------------------------------------------------- */

/* htons(80), inet_addr("1.2.3.4"): numbers in network order, as the original has them. */
static bool call_value(const struct value *value, int64_t *number)
{
    const struct value *arg = value->items;
    struct in_addr addr;

    if (!arg || arg->next)
        return false;
    if (!strcmp(value->text, "inet_addr")) {
        if (arg->kind != VALUE_STRING || inet_pton(AF_INET, arg->text, &addr) != 1)
            return false;
        *number = addr.s_addr;
        return true;
    }
    if (!value_int(arg, number))
        return false;
    if (!strcmp(value->text, "htons"))
        *number = htons((uint16_t)*number);
    else if (!strcmp(value->text, "htonl"))
        *number = htonl((uint32_t)*number);
    else
        return false;
    return true;
}

bool value_int(const struct value *value, int64_t *number)
{
    const struct value *item;
    int64_t part;

    if (!value)
        return false;
    switch (value->kind) {
    case VALUE_INT:
        *number = value->number;
        return true;
    case VALUE_WORD:
        return name_value(value->text, number);
    case VALUE_LIST:
        return value->items && !value->items->next && value_int(value->items, number);
    case VALUE_OR:
        *number = 0;
        for (item = value->items; item; item = item->next) {
            if (!value_int(item, &part))
                return false;
            *number |= part;
        }
        return true;
    case VALUE_CALL:
        return call_value(value, number);
    case VALUE_STRING:
    case VALUE_ELLIPSIS:
    case VALUE_RECORD:
    default:
        return false;
    }
}

const struct value *marshal_arg(const struct marshal *call, unsigned index)
{
    const struct value *value = call->line->args;

    while (value && index-- > 0)
        value = value->next;
    return value;
}

int64_t marshal_int(struct marshal *call, unsigned index, int64_t otherwise)
{
    const struct value *value = marshal_arg(call, index);
    int64_t number = otherwise;

    if (value && value->kind != VALUE_ELLIPSIS && !value_int(value, &number))
        complain(call, "argument %u is no number we know", index + 1);
    return number;
}

static int fd_of(struct marshal *call, const struct value *value)
{
    const struct drill_fd *fd;
    int64_t number;

    if (!value_int(value, &number)) {
        complain(call, "a descriptor is a number");
        return -1;
    }
    fd = fd_find(call->run, number);
    return fd ? fd->fd : -1;
}

int marshal_fd(struct marshal *call, unsigned index)
{
    return fd_of(call, marshal_arg(call, index));
}

bool marshal_is_null(const struct value *value)
{
    int64_t number;

    return value && (value->kind == VALUE_INT || value->kind == VALUE_WORD) &&
           value_int(value, &number) && number == 0;
}

void marshal_bind_fd(struct marshal *call, const struct value *value, long fd)
{
    int64_t number;

    if (fd < 0 || !value_int(value, &number) || number < 0)
        return;
    if (!fd_add(call->run, number, (int)fd))
        complain(call, "descriptor %lld is in use", (long long)number);
}

const struct value *marshal_field(const struct value *record, const char *name)
{
    const struct value *item;

    for (item = record ? record->items : NULL; item; item = item->next)
        if (item->name && !strcmp(item->name, name))
            return item;
    return NULL;
}

static int64_t field_int(struct marshal *call, const struct value *record, const char *name,
                         int64_t otherwise)
{
    const struct value *value = marshal_field(record, name);
    int64_t number = otherwise;

    if (value && value->kind != VALUE_ELLIPSIS && !value_int(value, &number))
        complain(call, "%s is no number we know", name);
    return number;
}

/* ---- Addresses ----------------------------------------------------------------------------------------- */

static void addr_of_record(struct marshal *call, const struct value *record)
{
    call->addr.sin_family = (sa_family_t)field_int(call, record, "sa_family", AF_INET);
    if (marshal_field(record, "sin_port"))
        call->addr.sin_port = (in_port_t)field_int(call, record, "sin_port", 0);
    if (marshal_field(record, "sin_addr"))
        call->addr.sin_addr.s_addr = (in_addr_t)field_int(call, record, "sin_addr", 0);
}

struct sockaddr *marshal_addr(struct marshal *call, const struct value *value,
                              const struct weir_addr *addr, uint16_t port)
{
    if (marshal_is_null(value) && !(value->kind == VALUE_WORD && !strcmp(value->text, "AF_UNSPEC")))
        return NULL;
    call->addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    call->addr.sin_addr.s_addr = htonl(weir_addr_to4(addr));
    call->addr_length = sizeof(call->addr);
    if (value && value->kind == VALUE_RECORD)
        addr_of_record(call, value);
    else if (value && value->kind == VALUE_WORD)
        call->addr.sin_family = AF_UNSPEC;
    else if (value && value->kind != VALUE_ELLIPSIS)
        complain(call, "this is no address");
    return (struct sockaddr *)&call->addr;
}

void check_addr(struct marshal *call, const struct value *record)
{
    struct sockaddr_in actual = call->addr;

    if (!record || record->kind != VALUE_RECORD)
        return;
    addr_of_record(call, record);
    if (call->addr.sin_port != actual.sin_port ||
        call->addr.sin_addr.s_addr != actual.sin_addr.s_addr)
        complain(call, "the address is %s port %u", inet_ntoa(actual.sin_addr),
                 ntohs(actual.sin_port));
}

/* ---- Buffers and messages ------------------------------------------------------------------------------ */

static void *get_memory(struct marshal *call, size_t size)
{
    void *memory = arena_get(&call->arena, size ? size : 1);

    if (!memory)
        complain(call, "the call's buffers are too large");
    return memory;
}

void *marshal_buffer(struct marshal *call, const struct value *value, int64_t size, bool sending)
{
    uint8_t *bytes;

    if (!value || marshal_is_null(value))
        return NULL;
    if (size < 0 || size > TRANSFER_MAX) {
        complain(call, "a buffer has 0..%d bytes", TRANSFER_MAX);
        return NULL;
    }
    if (value->kind == VALUE_STRING && sending && (size_t)size > value->length) {
        complain(call, "the string is shorter than %lld bytes", (long long)size);
        return NULL;
    }
    bytes = get_memory(call, (size_t)size);
    if (bytes && value->kind == VALUE_STRING && sending)
        memcpy(bytes, value->text, (size_t)size);
    return bytes;
}

static size_t count_items(const struct value *list)
{
    const struct value *item;
    size_t count = 0;

    for (item = list ? list->items : NULL; item; item = item->next)
        count++;
    return count;
}

void marshal_parts(struct marshal *call, const struct value *list, bool sending)
{
    size_t count = count_items(list), i = 0;
    const struct value *item;
    struct iovec *parts;

    if (!list || list->kind == VALUE_ELLIPSIS || marshal_is_null(list))
        return;
    parts = get_memory(call, (count + 1) * sizeof(*parts));
    for (item = list->items; item && parts; item = item->next, i++) {
        int64_t size = 0;

        if (item->kind != VALUE_RECORD || !item->items || !value_int(item->items->next, &size)) {
            complain(call, "a part is {buffer, size}");
            return;
        }
        parts[i].iov_base = marshal_buffer(call, item->items, size, sending);
        parts[i].iov_len = size > 0 ? (size_t)size : 0;
    }
    call->message.msg_iov = parts;
    call->message.msg_iovlen = parts ? count : 0;
}

void marshal_message(struct marshal *call, const struct value *record, bool sending)
{
    const struct value *name = marshal_field(record, "msg_name");

    if (!record || record->kind != VALUE_RECORD) {
        complain(call, "a message is {msg_iov(1)=[{..., 100}], ...}");
        return;
    }
    marshal_parts(call, marshal_field(record, "msg_iov"), sending);
    if (name)
        call->message.msg_name =
            marshal_addr(call, name, &call->run->remote, call->run->connect_port);
    call->message.msg_namelen = call->message.msg_name ? sizeof(call->addr) : 0;
    if (marshal_field(record, "msg_control") && !sending) {
        call->message.msg_control = get_memory(call, CONTROL_BYTES);
        call->message.msg_controllen = CONTROL_BYTES;
    }
}

void check_buffer(struct marshal *call, const struct value *value, const void *bytes, long got)
{
    if (got <= 0 || !value || value->kind != VALUE_STRING)
        return;
    if ((size_t)got != value->length || memcmp(value->text, bytes, value->length) != 0)
        complain(call, "read %ld bytes other than expected", got);
}

void check_parts(struct marshal *call, const struct value *list, long got)
{
    const struct value *item = list ? list->items : NULL;
    size_t i;

    for (i = 0; item && i < call->message.msg_iovlen; i++, item = item->next) {
        const struct iovec *part = &call->message.msg_iov[i];
        long here = got < (long)part->iov_len ? got : (long)part->iov_len;

        check_buffer(call, item->items, part->iov_base, here);
        got -= here > 0 ? here : 0;
    }
}

/* ---- What came of recvmsg ------------------------------------------------------------------------------ */

static void check_control(struct marshal *call, const struct value *list)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(&call->message);
    const struct value *item;
    int data = 0;

    for (item = list->items; item; item = item->next) {
        if (!header) {
            complain(call, "there are fewer control messages");
            return;
        }
        if (header->cmsg_len >= CMSG_LEN(sizeof(data)))
            memcpy(&data, CMSG_DATA(header), sizeof(data));
        if (header->cmsg_level != field_int(call, item, "cmsg_level", header->cmsg_level) ||
            header->cmsg_type != field_int(call, item, "cmsg_type", header->cmsg_type) ||
            data != field_int(call, item, "cmsg_data", data))
            complain(call, "the control message is level %d type %d data %d", header->cmsg_level,
                     header->cmsg_type, data);
        header = CMSG_NXTHDR(&call->message, header);
    }
    if (header)
        complain(call, "there is another control message, level %d type %d", header->cmsg_level,
                 header->cmsg_type);
}

void check_message(struct marshal *call, const struct value *record)
{
    const struct value *control = marshal_field(record, "msg_control");
    int64_t flags = field_int(call, record, "msg_flags", call->message.msg_flags);

    if (flags != call->message.msg_flags)
        complain(call, "msg_flags is 0x%x, expected 0x%llx", (unsigned)call->message.msg_flags,
                 (unsigned long long)flags);
    if (control && control->kind == VALUE_LIST)
        check_control(call, control);
    check_addr(call, marshal_field(record, "msg_name"));
}
