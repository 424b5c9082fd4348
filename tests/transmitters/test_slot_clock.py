"""Slots of a group: due at one time for all links, whatever a transmitter slept through."""

from __future__ import annotations

import pytest

from tests.transmitters.sending import sender_of
from tests.transmitters.test_streaming import stream_work
from transmitters.slot_clock import WORDS, SlotClock
from transmitters.streaming import BACKLOG_FRAMES, Streamer


def slotted(**changed):
    return stream_work(**{"user": 0, "due_in_s": 0.0, "window": 50, **changed})


def frames_of(streamer_sender):
    return [(plan.assignment.point, plan.frame) for plan in streamer_sender.frames_to_encode()]


def test_word_that_was_late_is_set_right_by_the_next_one():
    clock = SlotClock(10.0)
    clock.agree(5, due_s=3.7)
    clock.agree(6, due_s=1.1)
    clock.agree(9, due_s=1.9)
    assert clock.due_s(6) == pytest.approx(1.1)


def test_clock_that_runs_apart_is_followed():
    clock = SlotClock(10.0)
    for second in range(3 * WORDS):
        clock.agree(10 * second, due_s=second * 1.001)
    ahead = 30 * WORDS
    assert abs(clock.due_s(ahead) - 3.003 * WORDS) < 0.001 * (WORDS + 1)


def test_links_that_look_at_other_times_have_offered_the_same_slots():
    often, once = SlotClock(7.0), SlotClock(7.0)
    for clock in (often, once):
        clock.agree(0, due_s=0.5)
    total = 0
    for tick in range(300):
        first, count = often.due(total, tick / 97)
        assert first == total
        total += count
    assert once.due(0, 299 / 97) == (0, total)


def test_slots_of_a_long_standstill_are_nobodys():
    clock = SlotClock(10.0)
    clock.agree(0, due_s=0.0)
    assert clock.due(0, 1000.0) == (10_000, 1)


def test_stream_begins_with_the_slot_that_it_is_told_when_that_is_due():
    sender = sender_of()
    streamer = Streamer(sender)
    streamer.follow(slotted(first_frame=40, due_in_s=1.0), 10.0)
    assert streamer.offer(10.9) == (0, 0)
    assert streamer.wait_s(10.9, 5.0) < 0.11
    assert streamer.offer(11.21) == (3, 0)
    assert [frame for _, frame in frames_of(sender)] == [40, 41, 42]


def test_shed_slots_have_numbers_and_are_the_oldest_ones():
    sender = sender_of()
    streamer = Streamer(sender)
    streamer.follow(slotted(), 0.0)
    assert streamer.offer(2.95) == (30, 30 - BACKLOG_FRAMES)
    frames = [frame for _, frame in frames_of(sender)]
    assert frames == list(range(30 - BACKLOG_FRAMES, 30))
    assert streamer.state(refusals=0).lowest == 30 - BACKLOG_FRAMES


def test_point_changes_with_the_slot_that_it_is_told():
    sender = sender_of()
    streamer = Streamer(sender)
    streamer.follow(slotted(), 0.0)
    streamer.follow(slotted(point=1, first_frame=3, due_in_s=0.3), 0.0)
    streamer.follow(slotted(point=2, first_frame=5, due_in_s=0.5), 0.0)
    assert (streamer.state(refusals=0).point, streamer.state(refusals=0).oldest) == (2, 0)
    streamer.offer(0.65)
    assert frames_of(sender) == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)]


def test_pause_takes_effect_at_once():
    sender = sender_of()
    streamer = Streamer(sender)
    streamer.follow(slotted(), 0.0)
    streamer.follow(slotted(paused=True), 0.05)
    assert streamer.offer(1.0) == (0, 0)
