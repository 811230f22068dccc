/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_SCRIPT_H
#define LAB_DRILL_SCRIPT_H

/* A packet script as a tree: what parse.c makes of the text and run.c executes. */

#include <lab/drill/arena.h>
#include <weir/packet.h>
#include <weir/types.h>

#define SCRIPT_BYTES_MAX ((size_t)16 << 20)
#define SCRIPT_EVENTS_MAX 100000u
#define SCRIPT_DEFINES_MAX 256u     /* with the command line's */
#define SCRIPT_DEPTH_MAX 32u        /* nesting of values */
#define SCRIPT_SECONDS_MAX 10000000 /* a time in a script */
#define SCRIPT_ERROR_TEXT 512
#define SCRIPT_PAYLOAD_MAX 65535u

struct where {
    unsigned line, column;
};

/* ---- Values: arguments and results of calls ---- */

enum value_kind {
    VALUE_INT,
    VALUE_WORD,     /* a name; what it means is for the executor to say */
    VALUE_STRING,   /* text and length */
    VALUE_ELLIPSIS, /* "supply something sensible" */
    VALUE_LIST,     /* [a, b] */
    VALUE_RECORD,   /* {a=1, b(2)=x, ...}: items with names */
    VALUE_OR,       /* A|B|C */
    VALUE_CALL,     /* htons(80): text is the name, items the arguments */
};

struct value {
    enum value_kind kind;
    int64_t number;
    const char *text; /* WORD, STRING, CALL */
    size_t length;    /* STRING */
    const char *name; /* of an item in a record; NULL: none */
    struct value *items;
    struct value *next;
};

/* ---- Packets ---- */

enum option_kind {
    OPTION_EOL,
    OPTION_NOP,
    OPTION_MSS,
    OPTION_WSCALE,
    OPTION_SACK_OK,
    OPTION_SACK,
    OPTION_TS,
    OPTION_MD5,
    OPTION_FO,
    OPTION_FOEXP,
    OPTION_ECN0,  /* AccECN, kind 172: e0b ceb e1b */
    OPTION_ECN1,  /* AccECN, kind 174: e1b ceb e0b */
    OPTION_HEX,   /* bytes of any length, which need not be options */
    OPTION_NAMED, /* one that is known by name only: whoever needs it is told so */
    OPTION_OTHER  /* found on the wire only */
};

struct tcp_option {
    enum option_kind kind;
    uint32_t numbers[8]; /* value; TS: val, ecr; SACK: left, right, …; ECN: counters */
    unsigned count;      /* of numbers */
    uint8_t bytes[40];   /* MD5, FO, FOEXP, HEX and OTHER (whole option) */
    unsigned length;     /* of bytes */
    const char *name;    /* NAMED */
};

#define TCP_OPTIONS_MAX 40u

enum packet_kind { PACKET_TCP, PACKET_UDP, PACKET_ICMP, PACKET_RAW };
enum ecn_want { ECN_ANY = -1, ECN_NONE, ECN_ECT1, ECN_ECT0, ECN_CE, ECN_ECT01 };

/* What a line says about the IP header and about lies in it: parse_ip.c. -1: unstated. */
struct ip_line {
    int32_t id, protocol, ihl, total, doff, reserved, cut;
    bool df, no_df, has_src, has_dst, ip_sum_bad, sum_bad, sum_zero;
    bool has_fragment, more; /* bytes [first, end) of the IP payload */
    uint32_t first, end;
    struct weir_addr src, dst;
    uint8_t option_bytes;
    uint8_t options[40];
};

struct packet_line {
    bool inbound;
    enum packet_kind kind;
    const char *encap; /* name of the first encapsulation, or NULL */
    enum ecn_want ecn; /* ANY: unstated */
    int tos, ttl;      /* -1: unstated */
    bool is_ip6;       /* something that only IPv6 has */
    struct ip_line ip;
    bool has_ports;
    uint16_t sport, dport;
    /* TCP */
    uint8_t flags;
    bool ae; /* the reserved bit that AccECN calls AE */
    uint32_t seq, ack;
    int32_t window; /* -1: unstated */
    uint16_t urgent;
    bool any_options; /* <...> */
    unsigned option_count;
    const struct tcp_option *options;
    uint32_t payload_length;
    const uint8_t *data; /* the payload, or the whole of a RAW packet; NULL: zeros */
    /* ICMP */
    uint8_t icmp_type, icmp_code;
    int64_t icmp_mtu, icmp_id, icmp_seq, icmp_rest; /* -1: unstated */
    enum packet_kind quoted; /* TCP with has_quoted_seq, UDP, or ICMP for raw */
    bool has_quoted;
    uint32_t quoted_seq, quoted_length;
};

/* ---- Calls ---- */

struct call_line {
    const char *name;
    struct value *args;
    unsigned arg_count;
    struct value *result;
    const char *error; /* "EAGAIN", or NULL */
    bool blocking;
    weir_time end; /* of a blocking call; relative to its start's base if the event's time is */
};

/* ---- Events ---- */

enum time_kind { TIME_ABSOLUTE, TIME_RELATIVE, TIME_ANY };
enum event_kind { EVENT_PACKET, EVENT_CALL, EVENT_CODE, EVENT_COMMAND };

struct event {
    struct event *next;
    struct where where;
    const char *source; /* the text of the event, one line or more */
    enum time_kind time;
    bool is_range;
    weir_time at, until;
    enum event_kind kind;
    struct packet_line *packet;
    struct call_line *call;
    const char *text; /* CODE, COMMAND */
};

struct script_option {
    struct script_option *next;
    struct where where;
    const char *name, *value; /* value NULL: none given */
};

struct script {
    struct arena arena;
    const char *path, *text; /* borrowed */
    size_t length;           /* of text */
    struct script_option *options;
    const char *init, *cleanup; /* commands, or NULL */
    struct event *events;
    unsigned event_count;
};

/* -D NAME=VALUE. */
struct define {
    const char *name, *value;
};

/* Parses `length` bytes of `text`. Returns 0 and fills *script (free it with script_done), or
 * WEIR_EINVAL with one line "path:line:column: what was expected" in `error` (SCRIPT_ERROR_TEXT
 * bytes). `path` and `text` are borrowed. */
int script_parse(const char *path, const char *text, size_t length, const struct define *defines,
                 size_t define_count, struct script *script, char *error);
void script_done(struct script *script);

#endif
