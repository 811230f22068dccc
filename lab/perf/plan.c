/* SPDX-License-Identifier: MIT */

/* The plan of a test, and the lines by which the two ends agree on it.
 *
 * The client opens one connection for control and then, to the same port, those that carry data. All
 * that is said are lines of ASCII, at most 255 bytes and a newline, words apart by one space:
 *
 *   client  weir-perf 1 MODE PARALLEL SIZE MILLISECONDS BYTES    what it wants
 *   server  go ID                                                16 hex digits; or
 *           no WHY                                               and the connection ends
 *   client  join ID INDEX                                        first on each data connection
 *   server  start                                                all have joined
 *   client  stop                                                 nobody sends anything new
 *   server  done MICROSECONDS SENT RECEIVED RETRANSMISSIONS RTT-NS OPERATIONS
 *
 * A direction of a stream ends by its sender's FIN, so that the receiver has counted all of it. The
 * id keeps connections of another test, or of a stranger, out of this one.
 *
 * Parsing is strict: every number is decimal, without sign, and within its limits; anything else, and
 * anything left over, is no line. Nothing is believed that is not within the limits of perf.h. */

#include <inttypes.h>
#include <lab/perf/perf.h>
#include <string.h>

static const char *const mode_names[] = {
#define X(name, text) text,
    PERF_MODES(X)
#undef X
};

static const char *const words[] = {"weir-perf", "go", "no", "join", "start", "stop", "done"};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

const char *perf_mode_name(enum perf_mode mode)
{
    return mode_names[mode];
}

int perf_mode_parse(const char *name, enum perf_mode *mode)
{
    for (unsigned index = 0; index < PERF_MODE_COUNT; index++) {
        if (strcmp(mode_names[index], name) == 0) {
            *mode = (enum perf_mode)index;
            return 0;
        }
    }
    return WEIR_EINVAL;
}

/* ---- The plan ------------------------------------------------------------------------------------ */

bool perf_plan_is_valid(const struct perf_plan *plan)
{
    bool has_time = plan->duration > 0;

    return plan->mode < PERF_MODE_COUNT && plan->parallel >= 1 &&
           plan->parallel <= PERF_PARALLEL_MAX && plan->size >= 1 && plan->size <= PERF_SIZE_MAX &&
           plan->duration >= 0 && plan->duration <= PERF_TIME_MAX &&
           plan->duration % WEIR_MS == 0 && has_time != (plan->bytes > 0) &&
           (has_time || plan->mode != PERF_CONNECT);
}

unsigned perf_plan_streams(const struct perf_plan *plan)
{
    switch (plan->mode) {
    case PERF_BIDIR:
        return 2 * plan->parallel;
    case PERF_CONNECT:
        return 0; /* they come and go */
    default:
        return plan->parallel;
    }
}

/* Of a bidirectional test's streams the client sends on the first half. */
bool perf_plan_sends(const struct perf_plan *plan, unsigned index, bool is_client)
{
    switch (plan->mode) {
    case PERF_BULK:
    case PERF_PING_PONG:
        return is_client;
    case PERF_REVERSE:
        return !is_client;
    case PERF_BIDIR:
        return (index < plan->parallel) == is_client;
    default:
        return false;
    }
}

uint64_t perf_plan_budget(const struct perf_plan *plan, unsigned index, bool is_client)
{
    unsigned nth = index % plan->parallel;

    if (!perf_plan_sends(plan, index, is_client))
        return 0;
    if (plan->duration > 0)
        return UINT64_MAX;
    return plan->bytes / plan->parallel + (nth < plan->bytes % plan->parallel ? 1 : 0);
}

/* ---- Words ---------------------------------------------------------------------------------------- */

/* What is left of a line. */
struct rest {
    const char *at, *end;
};

/* The next word, up to a space or the end; empty if there is none. */
static size_t next_word(struct rest *rest, const char **word)
{
    size_t length = 0;

    *word = rest->at;
    while (rest->at < rest->end && *rest->at != ' ') {
        rest->at++;
        length++;
    }
    if (rest->at < rest->end)
        rest->at++; /* the space; one at the end of the line leaves an empty word, which is wrong */
    return length;
}

static int digit(char character, unsigned base)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return base == 16 && character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* A number from 0 to `most`. */
static bool next_number(struct rest *rest, unsigned base, uint64_t most, uint64_t *number)
{
    const char *word;
    size_t length = next_word(rest, &word);
    uint64_t value = 0;

    for (size_t index = 0; index < length; index++) {
        int next = digit(word[index], base);

        if (next < 0 || value > (most - (unsigned)next) / base)
            return false;
        value = value * base + (unsigned)next;
    }
    *number = value;
    return length > 0;
}

static bool at_end(const struct rest *rest)
{
    return rest->at == rest->end && rest->end[-1] != ' ';
}

static bool parse_plan(struct rest *rest, struct perf_plan *plan)
{
    uint64_t version, parallel, size, milliseconds;
    const char *word;
    char name[16];
    size_t length;

    if (!next_number(rest, 10, 1, &version) || version != 1)
        return false;
    length = next_word(rest, &word);
    if (length >= sizeof(name))
        return false;
    memcpy(name, word, length);
    name[length] = '\0';
    if (perf_mode_parse(name, &plan->mode) != 0 ||
        !next_number(rest, 10, PERF_PARALLEL_MAX, &parallel) ||
        !next_number(rest, 10, PERF_SIZE_MAX, &size) ||
        !next_number(rest, 10, PERF_TIME_MAX / WEIR_MS, &milliseconds) ||
        !next_number(rest, 10, INT64_MAX, &plan->bytes))
        return false;
    plan->parallel = (unsigned)parallel;
    plan->size = (uint32_t)size;
    plan->duration = (weir_time)milliseconds * WEIR_MS;
    return perf_plan_is_valid(plan);
}

static bool parse_tally(struct rest *rest, struct perf_tally *tally)
{
    uint64_t time, rtt;

    if (!next_number(rest, 10, INT64_MAX / WEIR_US, &time) ||
        !next_number(rest, 10, INT64_MAX, &tally->sent) ||
        !next_number(rest, 10, INT64_MAX, &tally->received) ||
        !next_number(rest, 10, INT64_MAX, &tally->retransmissions) ||
        !next_number(rest, 10, INT64_MAX, &rtt) ||
        !next_number(rest, 10, INT64_MAX, &tally->operations))
        return false;
    tally->time = (weir_time)time * WEIR_US;
    tally->rtt = (weir_time)rtt;
    return true;
}

static bool parse_join(struct rest *rest, struct perf_line *line)
{
    uint64_t index;

    if (!next_number(rest, 16, UINT64_MAX, &line->id) ||
        !next_number(rest, 10, 2 * PERF_PARALLEL_MAX - 1, &index))
        return false;
    line->index = (unsigned)index;
    return true;
}

/* The whole rest; what cannot be shown is replaced. */
static bool parse_why(struct rest *rest, char why[PERF_WHY])
{
    size_t length = (size_t)(rest->end - rest->at);

    if (length >= PERF_WHY)
        length = PERF_WHY - 1;
    for (size_t index = 0; index < length; index++)
        why[index] = rest->at[index] >= ' ' && rest->at[index] <= '~' ? rest->at[index] : '?';
    why[length] = '\0';
    rest->at = rest->end;
    return length > 0;
}

static bool parse_rest(struct rest *rest, struct perf_line *line)
{
    switch (line->word) {
    case PERF_HELLO:
        return parse_plan(rest, &line->plan);
    case PERF_GO:
        return next_number(rest, 16, UINT64_MAX, &line->id);
    case PERF_NO:
        return parse_why(rest, line->why);
    case PERF_JOIN:
        return parse_join(rest, line);
    case PERF_DONE:
        return parse_tally(rest, &line->tally);
    case PERF_START:
    case PERF_STOP:
        return true;
    }
    return false;
}

int perf_line_parse(const char *text, size_t length, struct perf_line *line)
{
    struct rest rest = {text, text + length};
    const char *word;
    size_t word_length, index = 0;

    memset(line, 0, sizeof(*line));
    if (length == 0)
        return WEIR_EINVAL;
    word_length = next_word(&rest, &word);
    while (index < WORD_COUNT &&
           (strlen(words[index]) != word_length || memcmp(words[index], word, word_length) != 0))
        index++;
    if (index == WORD_COUNT)
        return WEIR_EINVAL;
    line->word = (enum perf_word)index;
    if (!parse_rest(&rest, line))
        return WEIR_EINVAL;
    return line->word == PERF_NO || at_end(&rest) ? 0 : WEIR_EINVAL;
}

/* ---- Printing --------------------------------------------------------------------------------------- */

static int print_rest(const struct perf_line *line, char *text, size_t size)
{
    const struct perf_plan *plan = &line->plan;
    const struct perf_tally *tally = &line->tally;

    switch (line->word) {
    case PERF_HELLO:
        return snprintf(text, size, " 1 %s %u %" PRIu32 " %" PRId64 " %" PRIu64,
                        perf_mode_name(plan->mode), plan->parallel, plan->size,
                        plan->duration / WEIR_MS, plan->bytes);
    case PERF_GO:
        return snprintf(text, size, " %016" PRIx64, line->id);
    case PERF_NO:
        return snprintf(text, size, " %s", line->why);
    case PERF_JOIN:
        return snprintf(text, size, " %016" PRIx64 " %u", line->id, line->index);
    case PERF_DONE:
        return snprintf(text, size,
                        " %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64,
                        tally->time / WEIR_US, tally->sent, tally->received, tally->retransmissions,
                        tally->rtt, tally->operations);
    case PERF_START:
    case PERF_STOP:
        break;
    }
    return 0;
}

size_t perf_line_print(const struct perf_line *line, char text[PERF_LINE])
{
    size_t used = (size_t)snprintf(text, PERF_LINE, "%s", words[line->word]);

    used += (size_t)print_rest(line, text + used, PERF_LINE - used - 1);
    text[used++] = '\n';
    text[used] = '\0';
    return used;
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

size_t perf_reader_room(struct perf_reader *reader, char **at)
{
    *at = reader->text + reader->length;
    return sizeof(reader->text) - reader->length;
}

int perf_reader_take(struct perf_reader *reader, struct perf_line *line)
{
    char *newline = memchr(reader->text, '\n', reader->length);
    size_t length;
    int result;

    if (!newline)
        return reader->length < sizeof(reader->text) ? 0 : WEIR_EINVAL;
    length = (size_t)(newline - reader->text);
    result = perf_line_parse(reader->text, length, line);
    reader->length -= length + 1;
    memmove(reader->text, newline + 1, reader->length);
    return result == 0 ? 1 : WEIR_EINVAL;
}
