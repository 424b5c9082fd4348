"""Slots: complete ones alone are served; whatever is lost, repeated or late comes right."""

from __future__ import annotations

import itertools
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.slots import COMPLETE_KEPT, GIVEN_UP_S, STALE_S, WANTED_EVERY_S, Slot, Slots
from semcom.errors import ProtocolError
from tests.channel_sim.meeting import complete, group_of, held_of, symbols_of


def reason(slots: Slots, frame) -> str:
    with pytest.raises(ProtocolError) as raised:
        slots.take(frame)
    return raised.value.reason


def offered(slots: Slots, link: str, frame: int, at_s: float = 0.0) -> Slot | None:
    """The slot of a frame if it is complete; nothing of one that is told to come later."""
    with suppress(ProtocolError):
        return slots.take(held_of(link, frame, at_s=at_s))
    return None


def test_slot_is_held_until_the_last_member_is_there():
    slots = Slots(group_of("a", "b", "c"))
    assert slots.take(held_of("c")) is None
    assert slots.take(held_of("a")) is None
    slot = slots.take(held_of("b"))
    assert slot is not None
    assert [each.message.key.link for each in slot.in_order(slots.group)] == ["a", "b", "c"]


@given(order=st.permutations([(link, frame) for link in "abc" for frame in range(3)]))
def test_order_of_arrival_changes_nothing(order):
    slots = Slots(group_of("a", "b", "c", window=3))
    served = {}
    for link, frame in order:
        slot = slots.take(held_of(link, frame))
        if slot is not None:
            served[frame] = [each.payload.tobytes() for each in slot.in_order(slots.group)]
    assert served == {
        frame: [symbols_of(link, frame).tobytes() for link in "abc"] for frame in range(3)
    }


def test_frame_that_is_held_may_come_again_with_the_same_content_alone():
    slots = Slots(group_of())
    slots.take(held_of("a"))
    assert slots.take(held_of("a")) is None
    other = symbols_of("a", 0)
    other[1, 2] = np.nextafter(other[1, 2].real, np.float32(2)) + 1j * other[1, 2].imag
    assert reason(slots, held_of("a", payload=other)) == "conflict"
    assert reason(slots, held_of("a", codec="cd" * 32)) == "conflict"


def test_complete_slot_is_made_again_for_a_repeat_and_refuses_another_content():
    slots = Slots(group_of())
    complete(slots, 0)
    again = slots.take(held_of("b"))
    assert again is not None
    assert [each.message.key.link for each in again.in_order(slots.group)] == ["a", "b"]
    assert reason(slots, held_of("a", payload=-symbols_of("a", 0))) == "conflict"


@pytest.mark.parametrize(
    "other", [{"first_image": 7}, {"codec": "cd" * 32}, {"payload": symbols_of("b", 0, images=1)}]
)
def test_frames_of_a_slot_have_one_form(other):
    slots = Slots(group_of())
    slots.take(held_of("a"))
    assert reason(slots, held_of("b", **other)) == "shape"
    assert slots.take(held_of("b")) is not None, "the frame that was refused left nothing behind"


def test_slot_is_forgotten_when_all_members_are_answered():
    slots = Slots(group_of())
    complete(slots, 0)
    slots.answered(held_of("a").message.key)
    assert len(slots) == 1
    slots.answered(held_of("a").message.key)
    assert len(slots) == 1, "an answer that came twice is one"
    slots.answered(held_of("b").message.key)
    assert len(slots) == 0
    assert slots.take(held_of("a")) is None, "a late repeat opens the slot again"


def test_no_more_slots_are_held_than_members_have_in_flight():
    slots = Slots(group_of("a", "b", window=2))
    for frame in range(4):
        slots.take(held_of("a", frame))
    assert reason(slots, held_of("a", 4)) == "overloaded"


def test_lowest_slot_is_taken_whatever_is_held_above_it():
    slots = Slots(group_of("a", "b", window=2))
    for frame in range(1, 5):
        slots.take(held_of("a", frame))
    assert slots.take(held_of("b", 0)) is None, "the highest one gave way"
    assert slots.lacking() == {"a": 1, "b": 3}
    assert slots.take(held_of("a", 0)) is not None


def test_slot_that_a_late_repeat_opened_gives_way_when_nobody_repeats_it():
    slots = Slots(group_of("a", "b", window=1))
    for frame in range(2):
        complete(slots, frame)
        for link in "ab":
            slots.answered(held_of(link, frame).message.key)
        slots.take(held_of("b", frame))
    assert reason(slots, held_of("a", 2, at_s=GIVEN_UP_S)) == "overloaded"
    assert slots.take(held_of("a", 2, at_s=1.1 * GIVEN_UP_S)) is None


def test_bytes_that_are_held_are_bounded_and_one_slot_always_has_room():
    size = symbols_of("a", 0).nbytes
    slots = Slots(group_of("a", "b", window=100), max_bytes=3 * size)
    for frame in range(3):
        slots.take(held_of("a", frame))
    assert reason(slots, held_of("a", 3)) == "overloaded"
    tiny = Slots(group_of("a", "b"), max_bytes=1)
    complete(tiny, 0)


def test_complete_slots_are_bounded_and_the_oldest_is_forgotten():
    slots = Slots(group_of("a", "b"))
    for frame in range(COMPLETE_KEPT + 1):
        complete(slots, frame)
    assert len(slots) == COMPLETE_KEPT
    assert slots.take(held_of("a", 0)) is None


def test_missing_frames_are_wanted_once_a_second():
    slots = Slots(group_of("a", "b", "c"))
    slots.take(held_of("b", 5, at_s=10.0))
    assert slots.wanted(10.0 + 0.9 * WANTED_EVERY_S) == []
    asked = slots.wanted(10.0 + WANTED_EVERY_S)
    assert [(key.link, key.frame) for key in asked] == [("a", 5), ("c", 5)]
    assert slots.wanted(10.0 + 1.5 * WANTED_EVERY_S) == []
    slots.take(held_of("a", 5, at_s=11.0))
    assert [key.link for key in slots.wanted(10.0 + 2 * WANTED_EVERY_S)] == ["c"]


def test_slots_of_finished_points_and_those_that_nobody_repeats_are_forgotten():
    slots = Slots(group_of())
    slots.take(held_of("a", 0, point=1))
    slots.take(held_of("a", 0, point=2, at_s=STALE_S))
    slots.forget(below_point=2)
    assert slots.lacking() == {"b": 1}
    slots.forget(stale_at_s=2 * STALE_S)
    assert len(slots) == 1
    slots.forget(stale_at_s=2.1 * STALE_S)
    assert len(slots) == 0


@given(
    order=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 11)), max_size=300),
    window=st.integers(1, 3),
)
def test_no_order_leads_to_a_deadlock_or_beyond_the_bounds(order, window):
    """Whatever came before: members that send in ascending order, and repeat, are all served."""
    slots = Slots(group_of("a", "b", window=window))
    for link, frame in order:
        offered(slots, link, frame)
        assert sum(slots.lacking().values()) <= 2 * window
    served: set[int] = set()
    for turn in range(100):
        waiting = [frame for frame in range(12) if frame not in served][:window]
        for link, frame in itertools.product("ab", waiting):
            slot = offered(slots, link, frame, at_s=turn * 1.1 * GIVEN_UP_S)
            if slot is not None:
                served.add(frame)
                for each in slot.in_order(slots.group):
                    slots.answered(each.message.key)
    assert len(served) == 12


class TestPatience:
    """In a group with patience, slots are served without those that are late."""

    def slots(self, *links: str) -> Slots:
        return Slots(group_of(*links, patience_s=0.5))

    def test_slot_is_served_without_those_that_are_late(self):
        slots = self.slots("a", "b", "c")
        slots.take(held_of("a", at_s=1.0))
        slots.take(held_of("c", at_s=1.2))
        assert slots.next_overdue_s() == 1.5
        assert slots.overdue(1.49) == []
        (slot,) = slots.overdue(1.5)
        assert slot.waves == {"a": ("a", "c"), "c": ("a", "c")}
        assert slots.absent == {"b": 1}
        assert slots.overdue(9.0) == []
        assert slots.next_overdue_s() == math.inf

    def test_late_frame_is_served_by_itself_at_once(self):
        slots = self.slots("a", "b")
        slots.take(held_of("a"))
        slots.overdue(0.5)
        late = slots.take(held_of("b", at_s=0.6))
        assert late is not None
        assert [it.message.key.link for it in late.met("b")] == ["b"]
        assert [it.message.key.link for it in late.met("a")] == ["a"]

    def test_repeat_meets_those_whom_the_frame_met_before(self):
        slots = self.slots("a", "b")
        slots.take(held_of("a"))
        slots.overdue(0.5)
        slots.take(held_of("b", at_s=0.6))
        again = slots.take(held_of("a", at_s=0.7))
        assert again is not None
        assert [it.message.key.link for it in again.met("a")] == ["a"]

    def test_who_was_met_is_remembered_of_all_frames_that_can_be_in_flight(self):
        slots = Slots(group_of("a", "b", window=200, patience_s=0.5))
        for frame in range(400):
            slots.take(held_of("a", frame, at_s=0.0))
            slots.overdue(0.5)
        late = slots.take(held_of("b", 0, at_s=0.6))
        assert late is not None
        assert [it.message.key.link for it in late.met("b")] == ["b"]

    def test_answered_slots_make_room_for_new_frames(self):
        size = symbols_of("a", 0).nbytes
        slots = Slots(group_of("a", "b", window=50, patience_s=0.5), max_bytes=3 * size)
        for frame in range(20):
            at_s = float(frame)
            assert slots.take(held_of("a", frame, at_s=at_s)) is None
            slots.overdue(at_s + 0.5)
            slots.answered(held_of("a", frame).message.key)
        assert len(slots) <= 3

    def test_without_patience_nothing_is_overdue(self):
        slots = Slots(group_of("a", "b"))
        slots.take(held_of("a"))
        assert slots.overdue(1e6) == []
        assert slots.next_overdue_s() == math.inf
