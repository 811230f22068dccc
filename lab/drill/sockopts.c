/* SPDX-License-Identifier: MIT */

/* setsockopt and getsockopt in scripts.
 *
 *   setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
 *   setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
 *   setsockopt(3, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0
 *   getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0
 *
 * The length is given to Linux as it stands, so that wrong ones can be tried. What is got is compared
 * by what the script writes: a number with an int (or a byte, if one came), a string with the
 * bytes up to the first 0, onoff and linger with the struct; `...` with nothing. The length that
 * came back must be the one in the last argument. */

#include <lab/drill/marshal.h>
#include <string.h>

#define VALUE_BYTES 1024

union option_value {
    int number;
    uint8_t byte;
    struct linger linger;
    char text[VALUE_BYTES];
};

/* Fills *to as the script says; false: the argument is NULL. */
static bool make_value(struct marshal *call, const struct value *value, union option_value *to)
{
    int64_t number = 0, on = 0;

    memset(to, 0, sizeof(*to));
    if (!value || marshal_is_null(value))
        return false;
    if (value->kind == VALUE_RECORD) {
        if (!value_int(marshal_field(value, "onoff"), &on) ||
            !value_int(marshal_field(value, "linger"), &number))
            complain(call, "a linger is {onoff=N, linger=N}");
        to->linger = (struct linger){.l_onoff = (int)on, .l_linger = (int)number};
    } else if (value->kind == VALUE_STRING) {
        memcpy(to->text, value->text, value->length < VALUE_BYTES ? value->length : VALUE_BYTES);
    } else if (value_int(value, &number)) {
        to->number = (int)number;
    } else if (value->kind != VALUE_ELLIPSIS) {
        complain(call, "the value is none that we know");
    }
    return true;
}

long call_setsockopt(struct marshal *call)
{
    union option_value value;
    bool has_value = make_value(call, marshal_arg(call, 3), &value);
    int64_t length = marshal_int(call, 4, sizeof(int));

    if (length > VALUE_BYTES) {
        complain(call, "values have at most %d bytes here", VALUE_BYTES);
        return -EINVAL;
    }
    return linux_setsockopt(call->run->sockets, marshal_fd(call, 0), (int)marshal_int(call, 1, 0),
                            (int)marshal_int(call, 2, 0), has_value ? &value : NULL,
                            (socklen_t)length);
}

static void check_number(struct marshal *call, const struct value *wanted,
                         const union option_value *got, socklen_t length)
{
    int found = length == sizeof(got->byte) ? got->byte : got->number;
    int64_t number;

    if (!value_int(wanted, &number))
        complain(call, "the value is none that we know");
    else if ((int)number != found)
        complain(call, "the value is %d, expected %lld", found, (long long)number);
}

static void check_value(struct marshal *call, const struct value *wanted,
                        const union option_value *got, socklen_t length)
{
    union option_value expected;

    if (!wanted || wanted->kind == VALUE_ELLIPSIS || marshal_is_null(wanted))
        return;
    if (wanted->kind == VALUE_RECORD) {
        make_value(call, wanted, &expected);
        if (memcmp(&expected.linger, &got->linger, sizeof(got->linger)) != 0)
            complain(call, "the value is {onoff=%d, linger=%d}", got->linger.l_onoff,
                     got->linger.l_linger);
    } else if (wanted->kind == VALUE_STRING) {
        if (strlen(got->text) != wanted->length ||
            memcmp(got->text, wanted->text, wanted->length) != 0)
            complain(call, "the value is \"%.40s\"", got->text);
    } else {
        check_number(call, wanted, got, length);
    }
}

long call_getsockopt(struct marshal *call)
{
    const struct value *wanted = marshal_arg(call, 3), *size = marshal_arg(call, 4);
    int64_t given = marshal_int(call, 4, sizeof(int));
    socklen_t length = (socklen_t)(given < VALUE_BYTES - 1 ? given : VALUE_BYTES - 1);
    union option_value got;
    long error;

    memset(&got, 0, sizeof(got));
    error = linux_getsockopt(call->run->sockets, marshal_fd(call, 0), (int)marshal_int(call, 1, 0),
                             (int)marshal_int(call, 2, 0), marshal_is_null(wanted) ? NULL : &got,
                             marshal_is_null(size) ? NULL : &length);
    if (error < 0)
        return error;
    check_value(call, wanted, &got, length);
    if (size && size->kind != VALUE_ELLIPSIS && length != given)
        complain(call, "the length is %u, expected %lld", length, (long long)given);
    return error;
}
