/* SPDX-License-Identifier: MIT */

/* A timer wheel whose deadlines are exact.
 *
 * Time is cut into ticks of 2^14 ns. A tick is read as ten digits of five bits; level L has a slot
 * for each value of digit L. A timer waits at the highest level at which its tick differs from that
 * of `now`, in the slot of its own digit there (level 0 if the ticks are equal). Therefore
 *
 *   - all timers of a slot come before all of later slots of the level, and those before all of
 *     higher levels: the earliest slot is the first one occupied on the lowest level occupied;
 *   - when a digit of now changes, what waits on lower levels and in slots of that level up to the
 *     new digit is due or goes down. A timer goes down at most ten times in its life.
 *
 * A slot is unordered, so exact order is made late and only where it is asked for: `front` is a
 * sorted list, and a slot that could hold the earliest timer is sorted and merged into it as a
 * whole. Every timer is in its slot or in front. Each slot knows a bound that none of its timers is
 * below; if the bound of the earliest slot is not below the head of front, the head is the answer.
 * Moving a timer to a later time is thus two list operations: it is placed, not sorted, and it is
 * sorted once when its slot comes first, not once a move.
 *
 *       start, move          wheel_deadline, wheel_expire
 *     ------------> slot ---------------------------------> front ---> due
 *                    |  ^  now enters the slot
 *                    +--+
 *
 * Bits of `occupied` are cleared when a slot is found empty: stop needs to know no slot.
 *
 * Ties of time are broken by a 32-bit count of starts: right unless 2^31 starts lie between two
 * timers of the same nanosecond. Any weir_time is allowed, negative too; a time in the past waits
 * in the slot of now. Costs: start and stop about 5 ns, with a fresh deadline each time about 25
 * ns; a slot of k timers is sorted in O(k log k) once; the merge finds its place from both ends of
 * front, so its worst case is a late start into the middle of a long front. Size: 7.7 KiB a wheel,
 * 32 bytes a timer. */

#include <assert.h>
#include <store/wheel.h>

#define TICK_SHIFT 14
#define DIGIT_BITS 5
#define RUNS_MAX 32

_Static_assert(1 << DIGIT_BITS == WHEEL_SLOTS, "a slot for each digit");
_Static_assert(TICK_SHIFT + DIGIT_BITS * WHEEL_LEVELS >= 64, "all times have a place");
_Static_assert(sizeof(struct wheel_timer) <= 32, "timers are small");

static struct wheel_timer *timer_of(struct list_node *node)
{
    return LIST_ENTRY(node, struct wheel_timer, node);
}

/* The tick of a time; the sign is turned so that order is kept. */
static uint64_t tick_of(weir_time at)
{
    return ((uint64_t)at ^ (UINT64_C(1) << 63)) >> TICK_SHIFT;
}

static unsigned level_of(uint64_t difference)
{
    return difference ? (unsigned)(63 - __builtin_clzll(difference)) / DIGIT_BITS : 0;
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (level * DIGIT_BITS)) & (WHEEL_SLOTS - 1);
}

static bool is_before(struct list_node *a, struct list_node *b)
{
    const struct wheel_timer *x = timer_of(a), *y = timer_of(b);

    if (x->at != y->at)
        return x->at < y->at;
    return (int32_t)(x->order - y->order) < 0;
}

void wheel_init(struct wheel *wheel, weir_time now)
{
    unsigned level, slot;

    *wheel = (struct wheel){.now = now, .earliest = WEIR_NEVER};
    for (level = 0; level < WHEEL_LEVELS; level++)
        for (slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot].timers);
    list_init(&wheel->front);
}

void wheel_timer_init(struct wheel_timer *timer, uint16_t owner)
{
    *timer = (struct wheel_timer){.at = WEIR_NEVER, .owner = owner};
    list_init(&timer->node);
}

bool wheel_is_running(const struct wheel_timer *timer)
{
    return list_is_linked(&timer->node);
}

/* Puts a timer that is on no list into its slot. */
static void place(struct wheel *wheel, struct wheel_timer *timer)
{
    uint64_t tick = tick_of(timer->at > wheel->now ? timer->at : wheel->now);
    unsigned level = level_of(tick ^ tick_of(wheel->now)), digit = digit_of(tick, level);
    struct wheel_slot *slot = &wheel->slots[level][digit];

    if (list_is_empty(&slot->timers) || timer->at < slot->bound)
        slot->bound = timer->at;
    list_add_tail(&slot->timers, &timer->node);
    wheel->occupied[level] |= 1u << digit;
}

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
    if (!wheel_is_running(timer))
        return;
    list_remove(&timer->node);
    wheel->count--;
    if (timer->at <= wheel->earliest)
        wheel->is_stale = true;
}

void wheel_start(struct wheel *wheel, struct wheel_timer *timer, weir_time at)
{
    wheel_stop(wheel, timer);
    if (at == WEIR_NEVER)
        return;
    timer->at = at;
    timer->order = wheel->order++;
    place(wheel, timer);
    wheel->count++;
    if (at < wheel->earliest)
        wheel->earliest = at;
}

/* Merges two sorted chains, linked by next alone and ended by NULL. */
static struct list_node *merge_chains(struct list_node *a, struct list_node *b)
{
    struct list_node *first = NULL, **end = &first;

    while (a && b) {
        if (is_before(b, a)) {
            *end = b;
            b = b->next;
        } else {
            *end = a;
            a = a->next;
        }
        end = &(*end)->next;
    }
    *end = a ? a : b;
    return first;
}

/* Takes all nodes off a list that is not empty, as a sorted chain. runs[i] holds 2^i nodes or none;
 * `used` of them have been written. */
static struct list_node *sort_chain(struct list_node *head)
{
    struct list_node *runs[RUNS_MAX], *node = head->next, *next, *chain = NULL;
    unsigned used = 0, i;

    head->prev->next = NULL;
    list_init(head);
    for (; node; node = next) {
        next = node->next;
        node->next = NULL;
        for (i = 0; i < used && runs[i]; i++) {
            node = merge_chains(runs[i], node);
            runs[i] = NULL;
        }
        used += i == used;
        runs[i] = node;
    }
    for (i = 0; i < used; i++)
        chain = merge_chains(runs[i], chain);
    return chain;
}

/* The node of front before which `node` belongs, or the head; sought from both ends at once. */
static struct list_node *place_in_front(struct wheel *wheel, struct list_node *node)
{
    struct list_node *early = wheel->front.next, *late = wheel->front.prev;

    for (;; early = early->next, late = late->prev) {
        if (early == &wheel->front || is_before(node, early))
            return early;
        if (is_before(late, node))
            return late->next;
    }
}

/* Moves all timers of a list into front. */
static void move_to_front(struct wheel *wheel, struct list_node *list)
{
    struct list_node *chain, *next, *before;

    if (list_is_empty(list))
        return;
    chain = sort_chain(list);
    before = place_in_front(wheel, chain);
    for (; chain; chain = next) {
        next = chain->next;
        while (before != &wheel->front && is_before(before, chain))
            before = before->next;
        list_add_tail(before, chain);
    }
}

/* The slot with the earliest of the timers that wait in slots; NULL if none does. */
static struct wheel_slot *first_slot(struct wheel *wheel)
{
    struct wheel_slot *slot;
    unsigned level, digit;

    for (level = 0; level < WHEEL_LEVELS; level++) {
        while (wheel->occupied[level]) {
            digit = (unsigned)__builtin_ctz(wheel->occupied[level]);
            slot = &wheel->slots[level][digit];
            if (!list_is_empty(&slot->timers))
                return slot;
            wheel->occupied[level] &= ~(1u << digit);
        }
    }
    return NULL;
}

static weir_time front_time(const struct wheel *wheel)
{
    struct list_node *node = list_first(&wheel->front);

    return node ? timer_of(node)->at : WEIR_NEVER;
}

/* Brings the earliest timer to the head of front, and what shares its nanosecond to its side. */
static void sharpen(struct wheel *wheel, bool with_ties)
{
    struct wheel_slot *slot = first_slot(wheel);
    weir_time head = front_time(wheel);

    if (slot && (slot->bound < head || (with_ties && slot->bound == head)))
        move_to_front(wheel, &slot->timers);
}

weir_time wheel_deadline(struct wheel *wheel)
{
    if (wheel->is_stale) {
        sharpen(wheel, false);
        wheel->earliest = front_time(wheel);
        wheel->is_stale = false;
    }
    return wheel->earliest;
}

/* Moves the timers of the slots `which` of one level to the end of `out`. */
static void empty_slots(struct wheel *wheel, unsigned level, uint32_t which, struct list_node *out)
{
    uint32_t left = wheel->occupied[level] & which;
    struct list_node *list;

    wheel->occupied[level] &= ~which;
    for (; left; left &= left - 1) {
        list = &wheel->slots[level][__builtin_ctz(left)].timers;
        if (list_is_empty(list))
            continue;
        list->next->prev = out->prev;
        out->prev->next = list->next;
        list->prev->next = out;
        out->prev = list->prev;
        list_init(list);
    }
}

/* Moves now, and with it whatever waits where now has come or gone past. */
static void advance(struct wheel *wheel, weir_time now)
{
    uint64_t tick = tick_of(now), change = tick ^ tick_of(wheel->now);
    unsigned top = level_of(change), level;
    struct list_node passed, due, *node;

    wheel->now = now;
    if (change == 0)
        return;
    list_init(&passed);
    list_init(&due);
    for (level = 0; level < top; level++)
        empty_slots(wheel, level, UINT32_MAX, &passed);
    empty_slots(wheel, top, (2u << digit_of(tick, top)) - 1, &passed);
    while ((node = list_pop(&passed))) {
        if (timer_of(node)->at <= now)
            list_add_tail(&due, node);
        else
            place(wheel, timer_of(node));
    }
    move_to_front(wheel, &due);
}

struct wheel_timer *wheel_expire(struct wheel *wheel, weir_time now)
{
    struct wheel_timer *timer;

    if (now > wheel->now)
        advance(wheel, now);
    if (!wheel->is_stale && wheel->earliest > wheel->now)
        return NULL;
    sharpen(wheel, true);
    if (front_time(wheel) > wheel->now)
        return NULL;
    timer = timer_of(list_first(&wheel->front));
    assert(wheel->count > 0);
    wheel_stop(wheel, timer);
    return timer;
}
