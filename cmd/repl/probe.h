/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_PROBE_H
#define CMD_REPL_PROBE_H

/* ICMP echo requests one after the other: what `ping` and `traceroute` are made of. */

#include <weir/socket.h>

struct repl;

/* What came back for one request. */
struct probe_answer {
    bool came;
    struct weir_addr from;
    uint8_t ttl;       /* as it arrived */
    uint8_t icmp_type; /* 0: an echo reply; 3: unreachable; 11: TTL ran out on the way */
    uint8_t icmp_code;
    long length; /* bytes of payload */
    weir_time rtt;
};

struct probe {
    int socket;
    struct weir_addr to;
    uint16_t sequence; /* of the request that is out */
    weir_time sent;
    weir_time deadline;
    bool waiting;
    struct probe_answer answer;
};

/* Opens the echo socket and makes it the prompt's probe. Returns 0 or an error of the stack. */
int probe_open(struct repl *repl, struct probe *probe, const struct weir_addr *to);
void probe_close(struct repl *repl, struct probe *probe);

/* Sends one request with this TTL (0: the profile's) and waits for its answer, for `timeout` at
 * most, or until the user interrupts. Returns 0 and fills probe->answer, or an error of sending. */
int probe_run(struct repl *repl, struct probe *probe, uint8_t ttl, weir_time timeout);

/* Waits until `deadline` or an interruption; late answers are thrown away. */
void probe_pause(struct repl *repl, struct probe *probe, weir_time deadline);

/* For the loop: the echo socket has something; when and that the time is over. */
void probe_event(struct repl *repl);
weir_time probe_deadline(const struct repl *repl);
void probe_expire(struct repl *repl, weir_time now);

#endif
