/* SPDX-License-Identifier: MIT */

/* Before a script runs: does it need something that is not there? Then it is skipped with the name
 * of the first such thing, so that a missing mechanism never looks like a failure, or worse, like a
 * pass. Shells are never called, so every command is such a thing. */

#include <lab/drill/names.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define SCALED_BELOW 16384 /* bytes: less than this bounds a first window */

/* Words in the arguments of a call that ask for something that is not there. All other names of the
 * table are known, and what a call does not understand is an error of the script. */
static bool word_known(const char *word)
{
    static const char *const missing[] = {
        "AF_INET6",      "PF_INET6",         "IPPROTO_IPV6",         "SOL_IPV6",
        "SOCK_RAW",      "IPPROTO_ICMP",     "MSG_ZEROCOPY",         "MSG_ERRQUEUE",
        "MSG_FASTOPEN",  "SO_ZEROCOPY",      "SO_TIMESTAMPING",      "TCP_FASTOPEN",
        "TCP_TIMESTAMP", "TCP_FASTOPEN_KEY", "TCP_FASTOPEN_CONNECT", "TCP_REPAIR",
        "TCP_MD5SIG",    "IP_FREEBIND",      "IP_MTU_DISCOVER",
    };
    int64_t value;
    size_t i;

    for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        if (!strcmp(missing[i], word))
            return false;
    return name_value(word, &value);
}

static bool function_known(const char *name)
{
    return !strcmp(name, "htons") || !strcmp(name, "htonl") || !strcmp(name, "inet_addr");
}

static void scan_value(struct run *run, const struct event *event, const struct value *value)
{
    for (; value && !run->ended; value = value->next) {
        if (value->kind == VALUE_WORD && !word_known(value->text))
            run_skip(run, event, "%s", value->text);
        else if (value->kind == VALUE_CALL && !function_known(value->text))
            run_skip(run, event, "%s() in an argument", value->text);
        scan_value(run, event, value->items);
    }
}

static const char *const option_names[] = {"eol", "nop", "mss",   "wscale", "sackOK", "sack", "TS",
                                           "md5", "FO",  "FOEXP", "ECN",    "ECN",    "hex"};

static void skip_option(struct run *run, const struct event *event, const struct tcp_option *option)
{
    if (option->kind == OPTION_NAMED)
        run_skip(run, event, "the TCP option %s", option->name);
    else if (option->kind > OPTION_MSS && option->kind < OPTION_HEX)
        run_skip(run, event, "the TCP option %s", option_names[option->kind]);
}

static void scan_options(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    unsigned i;

    for (i = 0; i < line->option_count; i++)
        if (!line->inbound || line->options[i].kind == OPTION_NAMED)
            skip_option(run, event, &line->options[i]);
}

static const struct tcp_option *find_option(const struct packet_line *line, enum option_kind kind)
{
    unsigned i;

    for (i = 0; i < line->option_count; i++)
        if (line->options[i].kind == kind)
            return &line->options[i];
    return NULL;
}

/* What the peer's SYN offers, and ours, in `<...>`, will have agreed to. */
struct offer {
    bool is_hidden; /* there is such a SYN of ours */
    bool scales, stamps, sacks;
};

static void note_syn(const struct packet_line *line, struct offer *offer)
{
    const struct tcp_option *scale = find_option(line, OPTION_WSCALE);

    if (!line->inbound) {
        offer->is_hidden = offer->is_hidden || line->any_options;
        return;
    }
    offer->scales = offer->scales || (scale && scale->numbers[0] > 0);
    offer->stamps = offer->stamps || find_option(line, OPTION_TS);
    offer->sacks = offer->sacks || find_option(line, OPTION_SACK_OK);
}

/* With both SYNs carrying a scale, is this window one whose meaning hangs on it? One that is large
 * anyway hardly is. */
static bool is_scaled(const struct packet_line *line)
{
    return line->inbound ? line->window > 0 && line->window < SCALED_BELOW : line->window > 0;
}

/* Do the script's commands turn this off? */
static bool turns_off(const struct run *run, const char *sysctl)
{
    const char *found = run->script->init ? strstr(run->script->init, sysctl) : NULL;

    return found && strspn(found + strlen(sysctl), "= ") > 0 &&
           found[strlen(sysctl) + strspn(found + strlen(sysctl), "= ")] == '0';
}

/* `<...>` on a SYN of ours hides which options are agreed on: then what the peer uses later tells; windows
 * do if the peer has offered to scale them, and data does if it has offered timestamps, which take room.
 * That SACK is agreed on may show in how losses are mended (losses.c). */
static void scan_agreed(struct run *run)
{
    struct offer offer = {false, false, false, false};
    const struct event *event;
    unsigned i;

    for (event = run->script->events; event && !run->ended; event = event->next) {
        const struct packet_line *line = event->packet;

        if (event->kind != EVENT_PACKET || line->kind != PACKET_TCP)
            continue;
        if (line->flags & WEIR_TCP_SYN) {
            note_syn(line, &offer);
            offer.stamps = offer.stamps && !turns_off(run, "tcp_timestamps");
            offer.sacks = offer.sacks && !turns_off(run, "tcp_sack");
            continue;
        }
        if (!offer.is_hidden)
            continue;
        if (offer.scales && !(line->flags & WEIR_TCP_RST) && is_scaled(line))
            run_skip(run, event, "the TCP option wscale");
        if (offer.stamps && !line->inbound && line->payload_length > 0)
            run_skip(run, event, "the TCP option TS");
        for (i = 0; line->inbound && i < line->option_count; i++)
            skip_option(run, event, &line->options[i]);
    }
    run->may_sack = offer.is_hidden && offer.sacks;
}

static void scan_packet(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    unsigned ecn = WEIR_TCP_ECE | WEIR_TCP_CWR;

    if (line->encap)
        run_skip(run, event, "the encapsulation %s", line->encap);
    else if (line->is_ip6)
        run_skip(run, event, "IPv6");
    else if (!line->inbound && ((line->flags & ecn) || line->ae || line->ecn > ECN_NONE))
        run_skip(run, event, "ECN");
    else
        scan_options(run, event);
}

/* "Fragmentation needed", and data afterwards: its sizes hang on whether the path's MTU was learnt. */
static void scan_path_mtu(struct run *run)
{
    const struct event *event, *told = NULL;

    for (event = run->script->events; event && !run->ended; event = event->next) {
        const struct packet_line *line = event->packet;

        if (event->kind != EVENT_PACKET)
            continue;
        if (line->inbound && line->kind == PACKET_ICMP && line->icmp_type == 3 &&
            line->icmp_code == 4 && line->icmp_mtu > 0 && line->icmp_mtu < (int64_t)run->mtu)
            told = event;
        else if (told && !line->inbound && line->kind == PACKET_TCP && line->payload_length)
            run_skip(run, told, "path MTU discovery");
    }
}

static bool is_reading(const struct event *event)
{
    static const char *const names[] = {"read", "readv", "recv", "recvfrom", "recvmsg", "splice"};
    size_t i;

    for (i = 0; event->kind == EVENT_CALL && i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(event->call->name, names[i]))
            return true;
    return false;
}

static bool has_word(const struct value *value, const char *word)
{
    for (; value; value = value->next)
        if ((value->kind == VALUE_WORD && !strcmp(value->text, word)) ||
            has_word(value->items, word))
            return true;
    return false;
}

/* Linux takes the last urgent byte out of what is read, unless SO_OOBINLINE leaves it where it is. */
static void scan_urgent(struct run *run)
{
    const struct event *event, *urgent = NULL;

    for (event = run->script->events; event && !run->ended; event = event->next) {
        const struct packet_line *line = event->packet;

        if (event->kind == EVENT_CALL && has_word(event->call->args, "SO_OOBINLINE"))
            return;
        if (event->kind == EVENT_PACKET && line->kind == PACKET_TCP && line->inbound &&
            (line->flags & WEIR_TCP_URG) && line->urgent)
            urgent = event;
        else if (urgent && is_reading(event))
            run_skip(run, urgent, "urgent data out of band");
    }
}

/* A congestion control by name that is not here: taken or told by Linux, so by the script. */
static void scan_congestion(struct run *run, const struct event *event)
{
    const struct call_line *call = event->call;
    const struct value *value = call->args;
    int64_t result;

    if (run->profile != WEIR_PROFILE_LINUX || !has_word(call->args, "TCP_CONGESTION") ||
        (value_int(call->result, &result) && result < 0))
        return;
    while (value && value->kind != VALUE_STRING)
        value = value->next;
    if (value && strcmp(value->text, "reno") != 0)
        run_skip(run, event, "the congestion control %s", value->text);
}

static bool sends_control(const struct value *args)
{
    for (; args; args = args->next)
        if ((args->name && !strcmp(args->name, "msg_control") && args->items) ||
            sends_control(args->items))
            return true;
    return false;
}

/* What is taken, or not looked at, and does nothing here that Linux does. */
static void scan_effects(struct run *run, const struct event *event)
{
    const struct call_line *call = event->call;

    if (!strcmp(call->name, "sendmsg") && sends_control(call->args))
        run_skip(run, event, "control messages of sendmsg");
    else if (!strcmp(call->name, "setsockopt") && run->profile == WEIR_PROFILE_LINUX &&
             has_word(call->args, "TCP_QUICKACK"))
        run_skip(run, event, "TCP_QUICKACK");
}

static void scan_event(struct run *run, const struct event *event)
{
    switch (event->kind) {
    case EVENT_PACKET:
        scan_packet(run, event);
        break;
    case EVENT_CALL:
        if (!socket_call_known(event->call->name))
            run_skip(run, event, "the call %s", event->call->name);
        else
            scan_value(run, event, event->call->args);
        scan_value(run, event, event->call->result);
        scan_congestion(run, event);
        scan_effects(run, event);
        break;
    case EVENT_COMMAND: /* commands.c */
    case EVENT_CODE:
    default:
        break;
    }
}

static bool set_number(const char *text, double low, double high, double *number)
{
    char *end;

    if (!text || !*text)
        return false;
    *number = strtod(text, &end);
    return *end == '\0' && *number >= low && *number <= high;
}

/* Is any inbound payload longer than `mss`, so that it would be a packet to be cut by a device? */
static bool needs_cutting(const struct run *run, double mss)
{
    const struct event *event;

    for (event = run->script->events; event; event = event->next)
        if (event->kind == EVENT_PACKET && event->packet->inbound &&
            event->packet->payload_length > mss)
            return true;
    return false;
}

static bool set_addr(struct run *run, const char *text, struct weir_addr *addr)
{
    if (text && strchr(text, ':'))
        run_skip(run, NULL, "IPv6");
    return run->ended || (text && weir_addr_parse(text, addr) == 0);
}

/* Options that make no difference here: the packets of a script tell whether it needs timestamps,
 * the calls whether it needs zero-copy, and there is neither a device nor real time. */
static bool is_idle(const char *name)
{
    static const char *const names[] = {
        "v",     "verbose",           "tcp_ts_tick_usecs", "netmask_ip",
        "speed", "tcp_ts_ecr_scaled", "send_omit_free"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

/* Options with a number; false: this is none of them. */
static bool take_number(struct run *run, const char *name, const char *value, bool *fits)
{
    double number = 0;

    if (!strcmp(name, "tolerance_usecs") && (*fits = set_number(value, 0, 1e9, &number)))
        run->tolerance = (weir_time)number * WEIR_US;
    else if (!strcmp(name, "tolerance_percent") && (*fits = set_number(value, 0, 1e4, &number)))
        run->tolerance_percent = number;
    else if (!strcmp(name, "mtu") && (*fits = set_number(value, 68, 65535, &number)))
        run->mtu = (uint32_t)number;
    else if (!strcmp(name, "bind_port") && (*fits = set_number(value, 1, 65535, &number)))
        run->bind_port = (uint16_t)number;
    else if (!strcmp(name, "connect_port") && (*fits = set_number(value, 1, 65535, &number)))
        run->connect_port = (uint16_t)number;
    else if (!strcmp(name, "mss") && (*fits = set_number(value, 1, 65535, &number)) &&
             needs_cutting(run, number))
        run_skip(run, NULL, "the option --mss=%s", value);
    else
        return !*fits || !strcmp(name, "mss");
    return true;
}

/* One option; false: its value is wrong. */
static bool take_option(struct run *run, const struct script_option *option)
{
    const char *name = option->name, *value = option->value;
    bool fits = true;

    if (take_number(run, name, value, &fits) || is_idle(name))
        return fits;
    if (!strcmp(name, "local_ip"))
        return set_addr(run, value, &run->local);
    if (!strcmp(name, "remote_ip"))
        return set_addr(run, value, &run->remote);
    if (!strcmp(name, "gateway_ip"))
        return set_addr(run, value, &run->gateway);
    if (!strcmp(name, "profile"))
        return value && !weir_profile_parse(value, &run->profile);
    if (!strcmp(name, "strict_segments"))
        run->strict_segments = true;
    else if (!strcmp(name, "init_scripts"))
        run->init_scripts = value;
    else if (strcmp(name, "ip_version") != 0 || !value || strcmp(value, "ipv4") != 0)
        run_skip(run, NULL, "the option --%s%s%s", name, value ? "=" : "", value ? value : "");
    return true;
}

void scan_script(struct run *run)
{
    const struct script_option *option;
    const struct event *event;

    for (option = run->script->options; option && !run->ended; option = option->next)
        if (!take_option(run, option))
            run_fail(run, NULL, "the option --%s has a wrong value", option->name);
    scan_agreed(run);
    if (run->profile == WEIR_PROFILE_LINUX) { /* elsewhere packets may be cut on their way */
        scan_path_mtu(run);
        scan_urgent(run);
    }
    for (event = run->script->events; event && !run->ended; event = event->next)
        scan_event(run, event);
    if (!run->ended)
        commands_begin(run);
}
