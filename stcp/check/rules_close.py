# SPDX-License-Identifier: MIT
"""Rules about the end of a connection."""

from .case import pattern
from .rule import ALL, DRIVER_SERVER, rule
from .wire import ACK, FIN

EARLY_S = 0.1  # for what must not come yet


@rule("A FIN with ACK flag is acknowledged, with its number + 1.", kinds=ALL)
def fin_with_ack(case):
    case.open().send_fin()
    case.wait_ack("an ACK of our FIN")


@rule("A FIN without ACK flag (ack 0) is acknowledged, too.", needs=("fin-with-ack",), kinds=ALL)
def fin_bare(case):
    case.open().send_fin(flags=FIN, ack=0)
    case.wait_ack("an ACK of our FIN")


@rule("A FIN on a segment with data has the number behind the data, which is delivered.",
      needs=("fin-with-ack", "data-received", "ack-at-once"))
def fin_with_data(case):
    peer = case.open()
    case.send_and_ack(b"before. ")
    peer.send_fin(pattern(400))
    case.wait_ack("an ACK of our data and FIN")
    case.check_delivered()


@rule("A FIN that is acknowledged already is acknowledged again, when it comes again.",
      needs=("fin-with-ack", "duplicate"), editions=("loss",), kinds=ALL)
def fin_again(case):
    peer = case.open()
    case.send_and_ack(b"data")
    peer.send_fin()
    case.wait_ack("an ACK of our FIN")
    mark = len(peer.segments)
    peer.send(FIN | ACK, seq=peer.snd - 1)
    case.until(lambda: any(one.has(ACK) for one in peer.segments[mark:]),
               "the FIN that comes again is answered by an ACK")
    ack = next(one.ack for one in peer.segments[mark:] if one.has(ACK))
    case.require(ack == peer.snd, f"it is answered by ack {ack}, {peer.snd} was due")


def finish(case):
    """Takes the tested side's FIN, which stands at its place behind the data."""
    peer = case.peer
    case.until(lambda: peer.has_fin, "the close is followed by a FIN",
               detail=lambda: f"gap before {peer.gap[1]}" if peer.gap else "none has come")
    case.require(bytes(peer.data) == case.expected,
                 f"the FIN comes after {len(peer.data)} bytes, {len(case.expected)} were written")


@rule("We close first: FIN after all data; while the peer's side is open its data is "
      "acknowledged; its FIN ends the connection.",
      needs=("data-sent", "ack-at-once", "fin-with-ack"), kinds=ALL)
def close_first(case):
    peer = case.open()
    if case.setting.kind != "client":  # it would wait for an answer
        peer.auto_ack = True
        case.write(1200)
        case.wait_data(1200)
        peer.auto_ack = False
    case.app.close(case)
    finish(case)
    peer.ack_all()
    if case.setting.kind == "driver":
        case.send_and_ack(b"data after your FIN. ")
        case.send_and_ack(b"more of it.")
    peer.send_fin()
    case.wait_ack("an ACK of our FIN")
    case.app.wait_closed(case)


@rule("The FIN follows the data: what the application has written before its close is all sent "
      "before, also when the window is small.", needs=("close-first", "window-small"),
      kinds=DRIVER_SERVER)
def fin_behind_data(case):
    peer = case.open(win=500)
    case.write(1500)
    case.wait_data(500)
    case.app.close(case)
    case.fence()
    case.require(not peer.has_fin and not any(one.has(FIN) for one in peer.segments),
                 "the FIN is sent before 1000 bytes that the window does not let out")
    peer.auto_ack = True
    peer.ack_all()
    finish(case)
    peer.auto_ack = False
    peer.send_fin()
    case.app.wait_closed(case)


@rule("They close first: the application reads the end, and can still write; then FIN, and the "
      "ACK of it ends the connection.", needs=("close-first", "end-of-stream", "no-waiting"),
      kinds=ALL)
def close_second(case):
    peer = case.open()
    peer.send_fin()
    case.wait_ack("an ACK of our FIN")
    case.app.wait_end(case)
    if case.setting.kind != "server":  # it closes at once
        case.write(1200)
        case.wait_data(1200, "data is sent after the peer's FIN")
        peer.ack_all()
        case.app.close(case)
    finish(case)
    peer.ack_all()
    case.app.wait_closed(case)


@rule("Both close at once: a FIN that crosses ours is acknowledged, and the ACK of ours ends "
      "the connection.", needs=("close-first",), kinds=ALL)
def close_simultaneous(case):
    peer = case.open()
    case.app.close(case)
    finish(case)
    peer.send_fin()
    case.wait_ack("an ACK of the FIN that crossed")
    case.require(not case.quiet(EARLY_S, lambda: case.app.is_closed(case)),
                 "myclose returns before the FIN is acknowledged")
    peer.ack_all()
    case.app.wait_closed(case)


@rule("The end of the stream is delivered once, behind all data, and not before.",
      needs=("fin-with-ack", "data-received", "ack-at-once"))
def end_of_stream(case):
    peer = case.open()
    case.send_and_ack(pattern(1000))
    case.check_delivered()
    case.fence()
    case.require(not case.app.has_end, "the application reads the end, and no FIN has come")
    peer.send_fin()
    case.app.wait_end(case)
    case.check_delivered()


@rule("When the network has lost the peer (stcp_network_recv answers 0), the connection ends.",
      needs=("end-of-stream",))
def peer_lost(case):
    peer = case.open()
    case.send_and_ack(b"data")
    peer.connection.shutdown(1)
    case.until(lambda: case.app.has_end or case.app.error is not None,
               "the application is told that the connection is over")
    case.app.close(case)
    case.app.wait_closed(case)
