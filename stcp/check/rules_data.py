# SPDX-License-Identifier: MIT
"""Rules about data, acknowledgments and windows."""

from .case import pattern
from .peer import Broken
from .rule import ALL, DRIVER_SERVER, rule
from .wire import ACK

TRIALS = 5
ACK_WITHIN_S = 0.06  # the best of TRIALS
MEGABYTE = 1 << 20


@rule("Data is sent in order: the SYN takes one number, each byte one, th_seq is that of the "
      "first byte.", kinds=ALL)
def data_sent(case):
    peer = case.open()
    peer.auto_ack = True
    case.write(300)
    case.wait_data(len(case.expected))
    if case.setting.kind == "driver":
        case.write(2000)
        case.wait_data(2300)


@rule("Data that comes in order is delivered, and acknowledged with the next number expected.",
      kinds=ALL)
def data_received(case):
    peer = case.open()
    due = []
    for count in (1, 200, case.mss):
        peer.send_data(pattern(count))
        due.append(peer.snd)
    case.until(lambda: peer.last_ack in due, f"an ACK of it, one of {due}",
               detail=lambda: f"the last one was {peer.last_ack}")
    case.check_delivered()


@rule("ACKs are not delayed: one as soon as data is received, for each segment.",
      needs=("data-received",), kinds=ALL)
def ack_at_once(case):
    peer = case.open()
    best = 10.0
    for _ in range(TRIALS):
        case.send_and_ack(b"data")
        sent = next(at for at, way, segment in reversed(peer.trace)
                    if way == ">" and segment.payload)
        best = min(best, peer.trace[-1][0] - sent)
    case.require(best < ACK_WITHIN_S * case.setting.patience,
                 f"the ACK of a segment comes after {best * 1000:.0f} ms at best")
    mark, due = len(peer.segments), []
    for _ in range(4):
        peer.send_data(b"data")
        due.append(peer.snd)
    case.wait_ack()
    seen = [segment.ack for segment in peer.segments[mark:] if segment.has(ACK)]
    case.require(all(number in seen for number in due),
                 f"4 segments came in a row, and are acknowledged by {seen}; {due} was due")


@rule("No segment has more than 536 bytes of data.", needs=("data-sent",), kinds=ALL)
def mss(case):
    peer = case.open()
    peer.auto_ack = True
    case.write(5000 if case.setting.kind != "client" else 700)
    case.until(lambda: peer.gap or len(peer.data) >= len(case.expected)
               or any(len(segment.payload) > case.mss for segment in peer.segments),
               "what the application writes is sent")
    longest = max(len(segment.payload) for segment in peer.segments)
    case.require(longest <= case.mss, f"a segment has {longest} bytes of data")


@rule("Data is sent at once, whether something is unacknowledged or not (no Nagle algorithm).",
      needs=("data-sent",), kinds=ALL)
def no_waiting(case):
    case.open()
    for count in (10, 20, 30):
        case.write(10)
        case.wait_data(count, "small data is sent while other data is unacknowledged")


@rule("A segment with old data is answered by a fresh ACK for the number expected, and not "
      "delivered again.", needs=("data-received", "ack-at-once"), kinds=ALL)
def duplicate(case):
    peer = case.open()
    data = pattern(300)
    case.send_and_ack(data)
    start = peer.snd - len(data)
    for seq, part in ((start, data), (start, data[:50]), (start + 250, data[250:])):
        mark = len(peer.segments)
        peer.send(ACK, part, seq=seq)
        case.until(lambda: any(one.has(ACK) for one in peer.segments[mark:]),
                   f"old data (seq {seq}, {len(part)} bytes) is answered by an ACK")
        ack = next(one.ack for one in peer.segments[mark:] if one.has(ACK))
        case.require(ack == peer.snd, f"old data is answered by ack {ack}, {peer.snd} was due")
    case.send_and_ack(b"and new data")
    case.check_delivered()


@rule("A segment that crosses the left edge of the window is split: the new part is delivered, "
      "all of it is acknowledged.", needs=("data-received", "ack-at-once"), kinds=ALL)
def overlap_left(case):
    peer = case.open()
    case.send_and_ack(pattern(200))
    old, new = bytes(peer.sent[-200:]), pattern(100, 200)
    peer.send(ACK, old + new, seq=peer.snd - 200)
    peer.snd += len(new)
    peer.sent += new
    case.wait_ack("the ACK of a segment of 300 bytes, 200 of them old")
    case.check_delivered()


@rule("A segment that crosses the right edge of the window (3072 bytes from the number "
      "expected) is split: the part outside is neither acknowledged nor delivered.",
      needs=("data-received", "ack-at-once"))
def overlap_right(case):
    peer = case.open()
    case.send_and_ack(b"begin. ")
    data = pattern(case.window + 300)
    inside = case.window - 200
    peer.send(ACK, data[inside:], seq=peer.snd + inside)
    fill(case, data[:inside], case.window)
    peer.send_data(data[len(peer.sent) - 7:])
    case.wait_ack()
    case.check_delivered()


def fill(case, data, edge):
    """Sends `data` in order; the window's edge, `edge` bytes from its start, must not be passed by
    an ACK. What was kept of the bytes behind `data` counts as sent."""
    peer = case.peer
    start = peer.snd
    for at in range(0, len(data), 500):
        peer.send_data(data[at:at + 500])
    case.until(lambda: peer.last_ack >= peer.snd, f"an ACK of what came in order, ack {peer.snd}")
    case.require(peer.last_ack <= start + edge,
                 f"ack {peer.last_ack} covers what lay beyond the window, from {start + edge} on")
    kept = peer.last_ack - peer.snd
    peer.sent += pattern(kept, len(data))
    peer.snd = peer.last_ack


@rule("A segment beyond the window is dropped, and not acknowledged.",
      needs=("data-received", "ack-at-once", "overlap-right"))
def right_of_window(case):
    peer = case.open()
    case.send_and_ack(b"begin. ")
    start = peer.snd
    for distance in (case.window, case.window + 1000, 40000):
        peer.send(ACK, b"X" * 100, seq=start + distance)
    fill(case, pattern(case.window), case.window)
    case.send_and_ack(pattern(700))
    case.check_delivered()


@rule("Data is accepted from a peer that does not set ACK beside it (flags 0, ack 0).",
      needs=("data-received", "ack-at-once"), kinds=ALL)
def data_without_ack(case):
    case.open()
    case.send_and_ack(b"no flags. ", flags=0, ack=0)
    case.send_and_ack(b"again. ", flags=0, ack=0)
    case.send_and_ack(b"with ACK.")
    case.check_delivered()


@rule("th_ack counts only where the ACK flag is set.", needs=("data-without-ack", "window-limit"),
      kinds=DRIVER_SERVER)
def ack_flag(case):
    peer = case.open()
    case.write(2 * case.window)
    case.wait_data(case.window)
    for _ in range(3):
        case.send_and_ack(b"|", flags=0, ack=peer.rcv)
    case.require(len(peer.data) == case.window,
                 f"{len(peer.data) - case.window} bytes more are sent after segments without ACK "
                 "flag, whose th_ack would have allowed it")


@rule("No more than 3072 bytes are sent ahead of what is acknowledged, even if a larger window "
      "is offered, and no less if there is so much.",
      needs=("data-sent", "ack-at-once", "no-waiting"),
      kinds=DRIVER_SERVER)
def window_limit(case):
    peer = case.open(win=65535)
    case.write(case.window + 1500)
    case.wait_data(case.window, "a full window of data is sent")
    case.fence()
    case.require(len(peer.data) == case.window,
                 f"{len(peer.data)} bytes are sent ahead, of {case.window} allowed")
    peer.auto_ack = True
    peer.ack_all()
    case.wait_data(len(case.expected), "the rest is sent when the window moves")


def allow(case, win, more):
    """Acknowledges everything, offers `win`, and wants exactly `more` bytes."""
    peer = case.peer
    want = len(peer.data) + more
    peer.ack_all(win)
    case.wait_data(want, f"{more} bytes are sent in a window of {win}")
    case.fence()
    case.require(len(peer.data) == want,
                 f"{len(peer.data) - want + more} bytes are sent ahead in a window of {win}")


@rule("A small window is honoured: the SYN offers 5, so 5 bytes are sent ahead.",
      needs=("data-sent", "window-limit"), kinds=ALL)
def window_small(case):
    peer = case.open(win=5)
    case.write(18)
    case.wait_data(5, "5 bytes are sent in a window of 5")
    case.fence()
    case.require(len(peer.data) == 5, f"{len(peer.data)} bytes are sent ahead in a window of 5")
    allow(case, 5, 5)
    allow(case, 5, 5)
    allow(case, 5, 3)


@rule("The newest window is honoured when it shrinks, to 5 and to less than is under way.",
      needs=("window-small",), kinds=DRIVER_SERVER)
def window_shrink(case):
    peer = case.open()
    case.write(case.window + 1000)
    case.wait_data(case.window)
    before = len(peer.data)
    peer.una += 1000
    peer.win = 5
    peer.send(ACK)
    case.fence()
    case.require(len(peer.data) == before,
                 f"{len(peer.data) - before} new bytes are sent after the window has shrunk to 5 "
                 "with more than that under way")
    allow(case, 5, 5)
    allow(case, 5, 5)
    allow(case, case.window, 990)


@rule("In a window of 0 nothing is sent; an update without a new ack number opens it again.",
      needs=("window-shrink",), kinds=ALL)
def window_zero(case):
    peer = case.open()
    case.write(100)
    case.wait_data(100)
    peer.ack_all(0)
    case.fence()
    case.write(200)
    case.fence()
    case.require(len(peer.data) == 100 and not peer.gap,
                 f"{len(peer.data) - 100} bytes are sent in a window of 0")
    allow(case, 50, 50)
    peer.ack_all(case.window)
    case.wait_data(300, "the rest is sent when the window is open")


@rule("1 MB goes in both directions at once, every byte right.",
      needs=("data-sent", "data-received", "window-limit", "ack-at-once", "mss"))
def bulk(case):
    peer = case.open()
    peer.auto_ack = True
    case.write(MEGABYTE)
    data = pattern(MEGABYTE)
    at, start = 0, peer.snd
    while at < len(data):
        while at < len(data) and at + case.mss <= peer.last_ack - start + case.window:
            peer.send_data(data[at:at + case.mss])
            at += min(case.mss, len(data) - at)
        mark = peer.last_ack
        case.until(lambda: peer.last_ack != mark or peer.last_ack == peer.snd,
                   "data of a long transfer is acknowledged",
                   detail=lambda: f"ack {peer.last_ack} of {peer.snd}")
        if peer.gap:
            raise Broken(f"number {peer.gap[0]} was next, but {peer.gap[1]} came")
    case.wait_data(len(case.expected), "the megabyte of the application's is sent", 20)
    case.wait_ack()
    case.require(not peer.beyond, "something is sent outside of the window")
    case.check_delivered()
