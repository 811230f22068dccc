/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_PARSE_H
#define LAB_DRILL_PARSE_H

/* What the three files of the parser share: parse.c (options, events, times), parse_packet.c and
 * parse_call.c. Each function takes what it is named after from the lexer, or notes the error. */

#include <lab/drill/lex.h>

/* Takes the next token, which must be the sign `sign`. */
void expect_sign(struct lexer *lexer, char sign, const char *where);

/* Takes the next token if it is that sign, or that word. */
bool accept_sign(struct lexer *lexer, char sign);
bool accept_word(struct lexer *lexer, const char *word);

/* An integer from `low` to `high`; `what` names it in the error. */
int64_t expect_number(struct lexer *lexer, const char *what, int64_t low, int64_t high);

/* "expected WHAT, found …" at `token`. */
void fail_expected(struct lexer *lexer, const struct token *token, const char *what);

/* arena_get that notes its failure. */
void *get(struct lexer *lexer, size_t bytes);

/* After the direction sign. */
struct packet_line *parse_packet(struct lexer *lexer, bool inbound);

/* "[id 7, df, ttl 3]" and the like, if it is there. */
void parse_ip_info(struct lexer *lexer, struct packet_line *packet);

/* Bytes as pairs of hexadecimal digits in `text`, blanks between them allowed. Returns their number, at
 * most `max`; -1: these are none. */
long parse_hex_bytes(const char *text, size_t length, uint8_t *bytes, size_t max);

/* The options of a TCP segment, after `<` up to and including `>`. */
void parse_tcp_options(struct lexer *lexer, struct packet_line *packet);

/* The rest of an ICMP line, after the word icmp. */
void parse_icmp(struct lexer *lexer, struct packet_line *packet);

/* A call, from its name on; `blocking` and `end` are the caller's to set. */
struct call_line *parse_call(struct lexer *lexer);

/* A time: seconds, as nanoseconds rounded to microseconds. */
weir_time parse_seconds(struct lexer *lexer);

#endif
