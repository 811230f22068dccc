/* SPDX-License-Identifier: MIT */

/* The journal: what passes through net is noted in memory that the runner has lent.
 *
 * Problem: a capture shall show every packet with the reason why it was sent, or the name of the
 * drop that ended it; but a lower layer calls nobody, and the reason for a drop is known only after
 * the packet has gone through the checks, perhaps after it has caused others to be sent.
 *
 * Idea: all packets that leave pass net_stage and all that come in pass net_input, so two places
 * note them. An arrival is noted before it is looked at, with the drop still NONE; whoever counts a
 * drop of the packet in hand leaves it in net->fate; when the packet is done with (net_input has
 * answered NET_DONE, or the stack has delivered and releases it) the fate is entered. The entry is
 * found again by its offset. So an answer stands behind what it answers.
 *
 *     net_input ── note ── checks, delivery ──────────────── enter the fate ── NET_DONE or release
 *                             └ replies: net_stage ── note
 *
 * Packets to ourselves would stand twice. They are noted as they arrive, with the reason that the
 * loopback's frame still carries, and not as they leave.
 *
 * A fate belongs to the packet that is being input. What is lost at other times (fragments whose
 * time is up, a reply that the link does not take) is counted, and is nobody's fate: net_lose.
 *
 * Invariants: net->entry is 0, or one more than the offset of an entry that lies in the journal
 * which is set; entries are only ever appended during input. */

#include <net/internal.h>
#include <string.h>

void net_set_journal(struct net *net, struct weir_journal *journal, uint32_t source)
{
    net->journal = journal;
    net->journal_source = source;
    net->entry = 0;
}

/* Appends an entry; NULL if there is no room. */
static struct weir_journal_entry *note(struct net *net, int iface, const struct weir_frame *frame,
                                       weir_time now)
{
    struct weir_journal *journal = net->journal;
    size_t size = weir_journal_entry_size(frame->length);
    struct weir_journal_entry *entry;

    if (size > journal->size - journal->used) {
        journal->missed++;
        return NULL;
    }
    entry = (struct weir_journal_entry *)(void *)(journal->bytes + journal->used);
    *entry = (struct weir_journal_entry){
        .at = now,
        .missed = journal->missed,
        .source = net->journal_source,
        .length = frame->length,
        .iface = (int16_t)iface,
        .csum = frame->csum,
        .csum_start = frame->csum_start,
        .csum_offset = frame->csum_offset,
        .gso_size = frame->gso_size,
        .gso_segments = frame->gso_segments,
    };
    if (frame->length > 0)
        memcpy(entry + 1, frame->data, frame->length);
    journal->missed = 0;
    journal->used += size;
    return entry;
}

void net_journal_sent(struct net *net, int iface, const struct weir_frame *frame, weir_time now)
{
    struct weir_journal_entry *entry;

    if (iface == NET_LOOPBACK)
        return;
    entry = note(net, iface, frame, now);
    if (!entry)
        return;
    entry->direction = WEIR_JOURNAL_OUT;
    entry->why = frame->why;
}

void net_journal_arrived(struct net *net, int iface, const struct weir_frame *frame, weir_time now)
{
    size_t at = net->journal->used;
    struct weir_journal_entry *entry = note(net, iface, frame, now);

    net->fate = WEIR_DROP_NONE;
    net->entry = entry ? at + 1 : 0;
    if (entry && iface == NET_LOOPBACK) {
        entry->direction = WEIR_JOURNAL_OUT;
        entry->why = frame->why;
    }
}

void net_journal_fate(struct net *net)
{
    struct weir_journal_entry *entry;

    if (!net->entry)
        return;
    entry = (struct weir_journal_entry *)(void *)(net->journal->bytes + net->entry - 1);
    entry->drop = (uint16_t)net->fate;
    net->entry = 0;
}
