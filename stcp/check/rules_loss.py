# SPDX-License-Identifier: MIT
"""Rules about sending again: never (reliable edition), or in time and not for ever (the other)."""

import time

from .case import Case, pattern
from .peer import Broken
from .rule import ALL, DRIVER_SERVER, rule
from .wire import ACK, FIN, SYN

LOSS = ("loss",)
RELIABLE = ("reliable",)
AGAIN_S = 4.0       # for the first time that something is sent again
PATIENT_S = 0.1
RTO_LEAST_S = 0.008  # 10 ms, seen from here
SILENCE_S = 1.5
SENDS_MAX = 6
QUICK_S = 10.0


def times_of(peer, number, flags=0):
    """When segments came that hold this number."""
    return [at for at, one in zip(peer.times, peer.segments)
            if one.seq <= number < one.end and one.has(flags)]


@rule("Reliable edition: no segment is sent twice, whatever is not acknowledged: SYN, data, "
      "FIN; nor after three ACKs that say the same.",
      needs=("data-sent", "close-first", "no-waiting"), editions=RELIABLE, kinds=DRIVER_SERVER)
def nothing_twice(case):
    case.start()
    peer = case.peer
    case.until(lambda: peer.rcv is not None, "the SYN comes")
    with Case(case.setting, case.role) as other:
        unanswered(case, other)


def unanswered(case, other):
    """`case` has an unanswered SYN; `other` leaves data and FIN unanswered."""
    peer = other.open()
    other.write(1500)
    other.wait_data(1500)
    other.app.close(other)
    other.until(lambda: peer.has_fin, "the close is followed by a FIN")
    for _ in range(4):
        peer.send(ACK)
    seen = other.quiet(SILENCE_S, lambda: peer.repeats)
    other.require(not seen, f"sent again: {peer.repeats and peer.repeats[0]}")
    case.quiet(0)
    case.require(not case.peer.repeats, "the SYN is sent again")


def wait_again(case, number, what, count=2, flags=0):
    """Waits until what has this number has been sent `count` times."""
    case.until(lambda: len(times_of(case.peer, number, flags)) >= count, f"{what} is sent again",
               AGAIN_S)


@rule("A SYN that is not answered is sent again, the same.", needs=(), editions=LOSS, kinds=ALL)
def syn_again(case):
    case.start()
    peer = case.peer
    case.until(lambda: peer.first(SYN), "the SYN comes")
    first = peer.first(SYN)
    wait_again(case, first.seq, "the unanswered SYN", flags=SYN)
    again = [one for one in peer.segments if one.has(SYN)][1]
    case.require((again.seq, again.flags) == (first.seq, first.flags),
                 f"the second SYN is another one: {again}")


@rule("Data that is not acknowledged is sent again, the same bytes with the same numbers.",
      needs=("data-sent", "ack-at-once"), editions=LOSS, kinds=ALL)
def data_again(case):
    peer = case.open()
    case.write(400)
    case.wait_data(400)
    start = peer.rcv - 400
    wait_again(case, start, "the unacknowledged data")
    again = peer.repeats[0]
    case.require(again.payload == case.expected[again.seq - start:][:len(again.payload)],
                 "other bytes are sent again than at first")
    peer.ack_all()
    case.fence()
    case.write(100)
    case.wait_data(500)


@rule("A FIN that is not acknowledged is sent again.", needs=("close-first", "data-again"),
      editions=LOSS, kinds=ALL)
def fin_sent_again(case):
    peer = case.open()
    case.app.close(case)
    case.until(lambda: peer.has_fin, "the close is followed by a FIN")
    wait_again(case, peer.rcv - 1, "the unacknowledged FIN", flags=FIN)
    peer.ack_all()
    peer.send_fin()
    case.app.wait_closed(case)


@rule("Nothing is sent again sooner than 10 ms after the first time.", needs=("data-again",),
      editions=LOSS)
def rto_least(case):
    gaps = []
    peer = case.open()
    for _ in range(8):
        case.write(50)
        case.wait_data(len(case.expected))
        number = peer.rcv - 1
        wait_again(case, number, "the unacknowledged data")
        times = times_of(peer, number)
        gaps.append(times[1] - times[0])
        if gaps[-1] > PATIENT_S:
            return  # far from hasty
        peer.ack_all()
        for _ in range(8):  # for those who estimate: round trips that are short again
            case.write(1)
            case.wait_data(len(case.expected))
            peer.ack_all()
    gaps.sort()
    case.require(gaps[len(gaps) // 2] >= RTO_LEAST_S,
                 f"it is after {gaps[len(gaps) // 2] * 1000:.1f} ms")


@rule("Nothing is sent again when everything is acknowledged.", needs=("data-again",),
      editions=LOSS)
def timer_stops(case):
    peer = case.open()
    case.write(1000)
    case.wait_data(1000)
    peer.ack_all()
    case.fence()
    mark = len(peer.segments)
    seen = case.quiet(SILENCE_S, lambda: any(one.payload for one in peer.segments[mark:]))
    case.require(not seen, "acknowledged data is sent again")


@rule("Go-back-N: when a segment is lost, it and everything behind it is sent again.",
      needs=("data-again", "window-limit"), editions=LOSS, kinds=DRIVER_SERVER)
def go_back_n(case):
    peer = case.open()
    case.write(2500)
    case.wait_data(2500)
    start = peer.rcv - 2500
    first = next(one for one in peer.segments if one.payload)
    peer.una = first.end
    mark = len(peer.segments)
    peer.send(ACK)

    def is_whole():
        covered = first.end
        for one in peer.segments[mark:]:
            if one.payload and one.seq <= covered < one.end:
                covered = one.end
        return covered == peer.rcv

    case.until(is_whole, f"all from {first.end} to {peer.rcv} is sent again, when only {start} to "
               f"{first.end - 1} is acknowledged", AGAIN_S)


def count_sends(case, number, what, flags, has_ended):
    """Sees to it that what has `number` is sent six times, and then no more, and all ends. False: it
    was not waited for."""
    peer = case.peer
    gap = AGAIN_S / 2
    case.end = None  # the times grow as those of the tested side do
    enough = time.monotonic() + QUICK_S if case.setting.is_quick else float("inf")

    def times():
        return times_of(peer, number, flags)

    while not has_ended():
        if time.monotonic() > enough:
            return False  # right so far
        mark = len(times())
        case.until(lambda: len(times()) > mark or has_ended() or time.monotonic() > enough,
                   f"{what}, sent {mark} times, is sent again or the connection ends",
                   2.5 * gap + 2)
        seen = times()
        case.require(len(seen) <= SENDS_MAX, f"{what} is sent {len(seen)} times")
        if len(seen) > 1:
            gap = max(gap, seen[-1] - seen[-2])
    case.require(len(times()) >= SENDS_MAX,
                 f"{what} is sent {len(times())} times before the connection ends")
    return True


@rule("Data that was sent six times in vain ends the connection.", needs=("data-again",),
      editions=LOSS)
def six_sends(case):
    peer = case.open()
    case.write(200)
    case.wait_data(200)
    if count_sends(case, peer.rcv - 1, "data", 0,
                   lambda: case.app.has_end or case.app.error is not None):
        case.app.close(case)
        case.app.wait_closed(case)


@rule("A FIN that was sent six times in vain ends the connection.",
      needs=("fin-sent-again", "six-sends"), editions=LOSS)
def six_fins(case):
    peer = case.open()
    case.app.close(case)
    case.until(lambda: peer.has_fin, "the close is followed by a FIN")
    count_sends(case, peer.rcv - 1, "the FIN", FIN, lambda: case.app.closed is not None)


@rule("A SYN that was sent six times in vain: the application is told an error.",
      needs=("syn-again",), roles=("active",), editions=LOSS, is_slow=True)
def six_syns(case):
    case.start()
    count_sends(case, case.peer.first(SYN).seq, "the SYN", SYN,
                lambda: case.app.connected is not None)
    case.require(case.app.connected != 0, "myconnect succeeds")


@rule("ACKs are cumulative: data beyond a gap is answered by an ACK of the number expected, and"
      " data in the gap by one of all.", needs=("data-received", "ack-at-once", "duplicate"),
      editions=LOSS, kinds=ALL)
def gap_ack(case):
    peer = case.open()
    case.send_and_ack(b"begin. ")
    mark = len(peer.segments)
    peer.send(ACK, pattern(5, 5), seq=peer.snd + 5)
    case.until(lambda: any(one.has(ACK) for one in peer.segments[mark:]),
               "data beyond a gap is answered by an ACK")
    ack = next(one.ack for one in peer.segments[mark:] if one.has(ACK))
    case.require(ack == peer.snd, f"it is answered by ack {ack}, {peer.snd} was due")


@rule("Data that comes out of order is kept: when the gap is filled, all of it is acknowledged "
      "and delivered.", needs=("gap-ack",), editions=LOSS, kinds=ALL)
def out_of_order(case):
    peer = case.open()
    case.send_and_ack(b"begin. ")
    data = pattern(750)
    start = peer.snd
    for at in (600, 300, 450, 150):
        peer.send(ACK, data[at:at + 150], seq=start + at)
    peer.send_data(data[:150])
    peer.snd += 600
    peer.sent += data[150:]
    case.wait_ack("an ACK of all 750 bytes, when the gap before them is filled")
    case.check_delivered()


@rule("A FIN that comes before its data is kept, too, or asked for again; the end is delivered "
      "behind the data.", needs=("out-of-order", "fin-with-data", "end-of-stream"), editions=LOSS)
def fin_out_of_order(case):
    peer = case.open()
    peer.send(FIN | ACK, b"second", seq=peer.snd + 6)
    peer.send_data(b"first.")
    case.until(lambda: peer.last_ack >= peer.snd, "an ACK of the data")
    case.require(not case.app.has_end or peer.last_ack == peer.snd + 7,
                 "the end is delivered before the data")
    peer.send_fin(b"second")
    case.wait_ack("an ACK of all and the FIN")
    case.check_delivered()
    case.app.wait_end(case)


@rule("100 kB arrive though every 40th segment is lost, at the first time it is sent.",
      needs=("data-again", "go-back-n", "window-limit"), editions=LOSS, kinds=DRIVER_SERVER)
def bulk_lossy(case):
    peer = case.open()
    seen = set()

    def is_lost(segment):
        if not segment.payload or segment.seq in seen:
            return False
        seen.add(segment.seq)
        return len(seen) % 40 == 20

    peer.drop = is_lost
    peer.auto_ack = True
    case.write(100000)
    case.until(lambda: len(peer.data) >= 100000, "all is sent", 25,
               lambda: f"{len(peer.data)} bytes have come")
    if bytes(peer.data) != case.expected:
        raise Broken("other bytes are sent than those that the application has written")
