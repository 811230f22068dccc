# SPDX-License-Identifier: MIT
"""Rules about headers, numbers and the handshake."""

from .case import Case, WAIT_S
from .peer import Broken, Unclear
from .rule import ALL, rule
from .wire import ACK, FIN, PSH, SYN, checksum_with_pseudo

ISN_SAMPLES = 12
LOOK_S = 0.5  # for what need not come
EARLY_S = 0.1  # for what must not come yet
FEW = 10000   # numbers, that a test uses
SMALL = 3     # a window
ROUNDS = 8    # of data, each acknowledged


def swap16(number):
    return int.from_bytes(number.to_bytes(2, "big"), "little")


def swap32(number):
    return int.from_bytes((number & 0xffffffff).to_bytes(4, "big"), "little")


@rule("th_seq, th_ack and th_win are in network byte order on the wire, in both directions.",
      kinds=ALL)
def byte_order(case):
    try:
        case.start()
        case.until(lambda: case.peer.segments, "the SYN is answered")
    except Broken as error:
        raise Unclear(str(error)) from error
    peer = case.peer
    first = peer.segments[0]
    case.require(first.win == case.window or swap16(first.win) != case.window,
                 f"th_win is {first.win}: {case.window} with its bytes swapped")
    case.require(first.seq <= case.setting.isn_max or swap32(first.seq) > case.setting.isn_max,
                 f"th_seq is {first.seq}: {swap32(first.seq)} with its bytes swapped")
    look_at_acks(case)
    if not connects(case, peer.una):
        look_at_acks(case)
        case.require(not connects(case, swap32(peer.una)),
                     "th_ack is read with its bytes swapped: so it connects")
        return  # something else is wrong
    case.write(100)
    has_data = case.quiet(LOOK_S, lambda: peer.data or peer.gap)
    look_at_acks(case)
    look_at_seqs(case)
    if has_data:
        require_other_window(case, 0, case.window)
    look_after_handshake(case)


def look_at_seqs(case):
    """The numbers of what came behind the SYN."""
    peer = case.peer
    for segment in peer.segments[1:]:
        swapped = swap32(segment.seq)
        case.require(peer.rcv is None or near(segment.seq, peer.rcv) or not near(swapped, peer.rcv),
                     f"th_seq is {segment.seq}: {swapped} with its bytes swapped")


def near(number, due):
    return -FEW <= number - due <= FEW


def look_after_handshake(case):
    """Many convert numbers in the handshake, and forget it in the code behind it."""
    peer = case.peer
    start = peer.snd
    peer.send_data(b"data")
    if not case.quiet(LOOK_S, lambda: peer.last_ack == peer.snd):
        case.require(peer.last_ack not in (swap32(peer.snd), swap32(start) + 4,
                                           swap32(swap32(start) + 4)),
                     f"th_ack is {peer.last_ack} where {peer.snd} was due: its bytes are "
                     "swapped, or those of th_seq when it was read")
        peer.send(ACK, b"more data", seq=swap32(start))
        case.require(not case.quiet(LOOK_S, lambda: peer.last_ack == start + 9),
                     "th_seq is read with its bytes swapped: so data is taken")
    if case.setting.kind != "client" and len(peer.data) == 100:
        look_at_updates(case)


def look_at_updates(case):
    """The ack and the window of segments behind the handshake."""
    peer = case.peer
    peer.ack_all()
    case.write(case.window + 500)
    total, mark = len(case.expected), -1
    for _ in range(ROUNDS):  # for those who send less at a time
        if mark == len(peer.data) or len(peer.data) == total:
            break
        mark = len(peer.data)
        case.quiet(LOOK_S, lambda: len(peer.data) >= min(total, mark + case.window))
        require_other_window(case, mark, case.window)
        peer.ack_all()
    if mark == len(peer.data):
        peer.send(ACK, ack=swap32(peer.rcv))
        case.require(not case.quiet(LOOK_S, lambda: len(peer.data) > mark),
                     "th_ack is read with its bytes swapped: so the window moves")
    if len(peer.data) < total:
        return
    peer.ack_all(SMALL)
    case.write(1000)
    case.quiet(LOOK_S, lambda: len(peer.data) >= total + swap16(SMALL))
    require_other_window(case, total, SMALL)


def require_other_window(case, mark, win):
    """What came since `mark` must not be a window of `win` with its bytes swapped."""
    case.require(len(case.peer.data) != mark + swap16(win),
                 f"we offer a window of {win}, and {swap16(win)} bytes come: th_win is read with "
                 "its bytes swapped")


def connects(case, ack):
    """Whether it does when our answer to its SYN has this ack."""
    peer = case.peer
    if case.role == "active":
        peer.send(SYN | ACK, seq=peer.isn, ack=ack)
        peer.snd = peer.isn + 1
    else:
        peer.send(ACK, ack=ack)
    return case.quiet(LOOK_S, case.app.is_connected)


def look_at_acks(case):
    peer = case.peer
    due = peer.isn + 1
    wrong = (swap32(due), swap32(peer.isn) + 1, swap32(swap32(peer.isn) + 1))
    for segment in peer.segments:
        case.require(not segment.has(ACK) or segment.ack not in wrong,
                     f"th_ack is {segment.ack} where {due} was due: its bytes are "
                     "swapped, or those of th_seq when it was read")


def bare(segment):
    """The flags that make it what it is."""
    return segment.flags & (SYN | ACK | FIN)


@rule("Passive: a SYN is answered by SYN|ACK with ack = its number + 1; the ACK of that makes "
      "the connection.", roles=("passive",), kinds=ALL)
def open_passive(case):
    case.start()
    peer = case.peer
    case.until(lambda: peer.segments, "the SYN is answered")
    answer = peer.segments[0]
    case.require(bare(answer) == SYN | ACK, f"the SYN (seq {peer.isn}) is answered by: {answer}")
    case.require(answer.ack == peer.snd, f"the SYN|ACK has ack {answer.ack}, {peer.snd} was due")
    case.require(not answer.payload, "the SYN|ACK has data")
    peer.ack_all()
    case.app.wait_connected(case)


@rule("Active: a SYN without ACK is sent; SYN|ACK is answered by an ACK with seq = our own "
      "number + 1 and ack = the peer's + 1; that makes the connection.", roles=("active",),
      kinds=ALL)
def open_active(case):
    case.start()
    peer = case.peer
    first = peer.segments[0]
    case.require(bare(first) == SYN, f"the first segment is no bare SYN: {first}")
    peer.send(SYN | ACK)
    peer.snd += 1
    case.until(lambda: peer.last_ack is not None, "the SYN|ACK is answered by an ACK")
    answer = next(segment for segment in peer.segments if segment.has(ACK))
    case.require(bare(answer) == ACK, f"the SYN|ACK is answered by: {answer}")
    case.require(answer.ack == peer.snd, f"the ACK has ack {answer.ack}, {peer.snd} was due")
    case.require(answer.seq == peer.una, f"the ACK has seq {answer.seq}, {peer.una} was due")
    case.app.wait_connected(case)


@rule("The application is told of a connection when the peer has acknowledged our SYN, and not "
      "before.", needs=("open-passive", "open-active"), kinds=ALL)
def open_early(case):
    case.start()
    case.until(lambda: case.peer.first(SYN), "the transport sends its SYN")
    case.require(not case.quiet(EARLY_S, case.app.is_connected),
                 "it is connected, and its SYN is not acknowledged yet")


@rule("The number of the SYN is random, from 0 to 255.", needs=("byte-order",), kinds=ALL)
def isn(case):
    limit = case.setting.isn_max
    seen = []
    for _ in range(3):
        for _ in range(ISN_SAMPLES):
            seen.append(isn_of_another(case.setting, case.role))
            case.require(seen[-1] <= limit, f"it is {seen[-1]}; {limit} is the largest allowed")
        if len(set(seen)) > 1:
            return
        case.quiet(1.0)  # for those who seed with the time in seconds
    if case.setting.kind == "driver" and len(set(isns_in_a_row(case))) > 1:
        return  # for those who do not seed
    raise Broken(f"it is always {seen[0]}")


def isn_of_another(setting, role):
    with Case(setting, role) as other:
        other.start()
        other.until(lambda: other.peer.first(SYN), "the transport sends its SYN")
        return other.peer.first(SYN).seq


def isns_in_a_row(case):
    """The numbers of several connections of one process."""
    numbers = []
    for _ in range(ISN_SAMPLES):
        case.peer = None
        case.app.forget()
        numbers.append(case.open().first(SYN).seq)
    return numbers


def converse(case):
    """A bit of everything."""
    peer = case.open()
    case.send_and_ack(b"hello")
    case.write(700)
    peer.auto_ack = True
    case.wait_data(len(case.expected))
    case.send_and_ack(b"bye")
    peer.ack_all()
    case.app.close(case)
    case.until(lambda: peer.has_fin, "the close is followed by a FIN")


def segments_of(case):
    """The segments of a conversation, as far as it went: other rules are about that."""
    try:
        converse(case)
    except Broken:
        pass
    return case.peer.segments


@rule("The header has 20 bytes: th_off is 5 in every segment, there are no options.", kinds=ALL)
def offset(case):
    for segment in segments_of(case):
        case.require(segment.off == 5, f"th_off is {segment.off}: {segment}")


@rule("No other flags are set than SYN, FIN, ACK (and PUSH, which means nothing).", kinds=ALL)
def flags(case):
    for segment in segments_of(case):
        case.require(not segment.flags & ~(SYN | FIN | ACK | PSH),
                     f"flags {segment.flags:#04x}: {segment}")


@rule("th_win is 3072 in every segment.", needs=("byte-order",), kinds=ALL)
def window_field(case):
    for segment in segments_of(case):
        case.require(segment.win == case.window,
                     f"th_win is {segment.win}, {case.window} was due: {segment}")


@rule("th_seq is set in every segment: that of an ACK without data is the next number to be "
      "sent.", needs=("data-sent", "ack-at-once"), kinds=ALL)
def ack_seq(case):
    peer = case.open()
    mark = len(peer.segments)
    case.send_and_ack(b"first")
    for segment in peer.segments[mark:]:
        case.require(segment.payload or segment.seq == peer.rcv,
                     f"an ACK has seq {segment.seq}, {peer.rcv} was due")
    case.write(100)
    case.wait_data(100)
    mark = len(peer.segments)
    case.send_and_ack(b"second")
    for segment in peer.segments[mark:]:
        case.require(segment.payload or segment.seq == peer.rcv,
                     f"an ACK has seq {segment.seq}; 100 bytes were sent, {peer.rcv} was due")


@rule("The layer below: ports are those of the kernel's connection, the checksum is right, "
      "th_urp is 0.", kinds=ALL)
def lower_layer(case):
    segments = segments_of(case)
    mine, theirs = case.peer.ports
    for segment in segments:
        case.require((segment.sport, segment.dport) == (theirs, mine),
                     f"the ports are {segment.sport} and {segment.dport}, "
                     f"{theirs} and {mine} were due")
        case.require(segment.urp == 0, f"th_urp is {segment.urp}")
        case.require(checksum_with_pseudo(segment.raw) == 0xffff, f"wrong checksum: {segment}")


@rule("Simultaneous open: a bare SYN in answer to ours is answered by SYN|ACK (seq = our SYN's,"
      " ack = the peer's + 1), and an ACK of ours makes the connection.", needs=("open-active",),
      roles=("active",), kinds=ALL)
def open_simultaneous(case):
    cross_syns(case)
    case.peer.send(ACK)
    case.app.wait_connected(case)


@rule("Simultaneous open: the ACK of our SYN may come as SYN|ACK, as real TCP sends it.",
      needs=("open-simultaneous",), roles=("active",), kinds=ALL)
def open_simultaneous_synack(case):
    cross_syns(case)
    case.peer.send(SYN | ACK, seq=case.peer.isn)
    case.app.wait_connected(case)


def cross_syns(case):
    case.start()
    peer = case.peer
    first = peer.segments[0]
    peer.send(SYN)
    peer.snd += 1
    case.until(lambda: peer.last_ack is not None, "the crossing SYN is answered")
    answer = next(segment for segment in peer.segments if segment.has(ACK))
    case.require(bare(answer) == SYN | ACK, f"the crossing SYN is answered by: {answer}")
    case.require(answer.seq == first.seq, f"the SYN|ACK has seq {answer.seq}, {first.seq} was due")
    case.require(answer.ack == peer.snd, f"the SYN|ACK has ack {answer.ack}, {peer.snd} was due")


@rule("The ACK that ends the handshake may carry data: it is delivered and acknowledged.",
      needs=("data-received", "ack-at-once"), roles=("passive",), kinds=ALL)
def handshake_data(case):
    reach_syn_ack(case)
    case.send_and_ack(b"with the handshake")
    case.app.wait_connected(case)
    case.check_delivered()


@rule("The ACK that ends the handshake may carry data and FIN.",
      needs=("handshake-data", "fin-with-data", "end-of-stream"), roles=("passive",))
def handshake_fin(case):
    reach_syn_ack(case)
    case.peer.send_fin(b"all there is")
    case.wait_ack()
    case.app.wait_connected(case)
    case.check_delivered()
    case.app.wait_end(case)


def reach_syn_ack(case):
    case.start()
    peer = case.peer
    case.until(lambda: peer.first(SYN | ACK), "the SYN is answered by SYN|ACK")
    peer.una = peer.rcv


@rule("Options are skipped: in SYN and SYN|ACK, and in segments with data, which begins at "
      "th_off * 4.", needs=("data-received", "ack-at-once"), kinds=ALL)
def options(case):
    case.open(options=b"\x02\x04\x05\xb4")
    for count in (4, 12, 40):
        case.send_and_ack(pattern_of(count), options=b"\x01" * count)
    case.check_delivered()


def pattern_of(count):
    return b"data behind %d bytes of options. " % count


@rule("RST, PUSH and URG mean nothing: data with them is taken like any other.",
      needs=("data-received", "ack-at-once"), kinds=ALL)
def odd_flags(case):
    case.open()
    case.send_and_ack(b"push. ", flags=ACK | PSH)
    case.send_and_ack(b"urgent. ", flags=ACK | 0x20)
    case.send_and_ack(b"reset. ", flags=ACK | 0x04)
    case.check_delivered()


@rule("It runs silently: nothing is written to stdout or stderr.",
      needs=("data-sent", "close-first"))
def silent(case):
    converse(case)
    case.peer.auto_ack = False
    case.peer.ack_all()
    case.peer.send_fin()
    case.app.wait_closed(case)
    case.app.stop_control()
    case.quiet(WAIT_S * case.setting.patience, lambda: not case.app.pipes)
    for name, text in case.app.output.items():
        case.require(not text, f"{len(text)} bytes on {name}: "
                     f"{text[:200].decode('utf-8', 'replace').strip()!r}")
