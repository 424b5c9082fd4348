"""The sending end: what neither refusals nor older runs may do to it."""

from __future__ import annotations

from tests.transmitters.sending import (
    FRAME_BYTES,
    assignment,
    finish,
    fly,
    refusal_of,
    resent,
    sender_of,
)


def test_byte_window_holds_from_the_first_frame_on():
    sender = sender_of(assignment(window=9), window_bytes=2 * FRAME_BYTES)
    held = sum(flight.symbols_BK.nbytes for _ in range(9) for flight in fly(sender))
    assert held == 2 * FRAME_BYTES


def test_refusals_do_not_make_the_time_out_of_a_lost_frame_longer():
    sender = sender_of(assignment((0, 1)))
    fly(sender, now_s=0.0)
    now_s = 0.0
    for _ in range(6):
        sender.refused(refusal_of(0), now_s=now_s)
        now_s += 1.0
        resent(sender, now_s)
    assert resent(sender, now_s + 2.0) == [0]


def test_refusals_are_no_time_outs_however_long_they_last():
    sender = sender_of(assignment(window=1))
    fly(sender, now_s=0.0)
    finish(sender, 0, now_s=0.01)
    (flight,) = fly(sender, now_s=1.0)
    now_s = 1.0
    for _ in range(20):
        sender.refused(refusal_of(1), now_s=now_s + 0.01)
        now_s += 1.02
        assert resent(sender, now_s) == [1]
    assert flight.retry_at_s == now_s + 1.0


def test_link_slower_than_the_time_out_stops_sending_everything_twice():
    sender = sender_of(assignment(window=1))
    fly(sender, now_s=0.0)
    assert resent(sender, 2.0) == [0]
    finish(sender, 0, now_s=3.0)
    fly(sender, now_s=3.0)
    assert resent(sender, 6.0) == [], "3 s are within the time-out that was learnt"
    finish(sender, 1, now_s=6.0)
    (flight,) = fly(sender, now_s=6.0)
    assert flight.retry_at_s == 6.0 + 4 * 3.0


def test_frames_of_an_older_run_do_not_hold_up_a_new_one():
    sender = sender_of(assignment(window=2))
    fly(sender)
    sender.assign(assignment(run="newer", window=2))
    assert [plan.assignment.run for plan in sender.frames_to_encode()] == ["newer", "newer"]
