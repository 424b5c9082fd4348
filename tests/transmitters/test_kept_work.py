"""Frames that others of a group wait for: sent again, or once more after they were answered."""

from __future__ import annotations

from semcom.frame_messages import FrameKey
from semcom.messages import Recorded
from tests.transmitters.sending import LINK, assignment, encode, finish, fly, resent, sender_of
from transmitters.kept_work import MAX_WORKS
from transmitters.sender import Sender


def key_of(frame: int, *, point: int = 0, run: str = "demo", link: str = LINK) -> FrameKey:
    return FrameKey(run=run, point=point, link=link, frame=frame)


def group_work(**changed):
    return assignment(**{"user": 0, "window": 8, **changed})


def done(sender: Sender, *, point: int = 0, frames: int = 5) -> None:
    """All frames of a point are answered and recorded."""
    fly(sender)
    for frame in range(frames):
        finish(sender, frame, images=1 if frame == 4 else 2, point=point)
    sender.recorded(Recorded(run="demo", frames=[(point, frame) for frame in range(frames)]))


def wanted(sender: Sender, key: FrameKey, now_s: float = 5.0) -> list[int]:
    """Frames that are given out to be encoded because of it."""
    sender.wanted(key, now_s=now_s)
    return [plan.frame for plan in sender.frames_to_encode()]


def test_frame_that_was_answered_and_recorded_is_encoded_and_sent_once_more():
    sender = sender_of(group_work())
    done(sender)
    assert sender.points.indices == []
    assert sender.kept.points == [0]
    sender.wanted(key_of(3), now_s=5.0)
    sender.wanted(key_of(3), now_s=5.0)
    (plan,) = sender.frames_to_encode()
    assert wanted(sender, key_of(3)) == [], "it is being encoded"
    assert sender.kept.encoded(plan)
    assert not sender.kept.encoded(plan)
    assert sender.in_flight == 0, "its answer is known: nobody waits for it"
    assert wanted(sender, key_of(3)) == [3], "it may be lost again"


def test_frame_in_flight_is_sent_again_at_once_and_no_time_out_is_blamed():
    sender = sender_of(group_work())
    fly(sender, now_s=0.0)
    assert wanted(sender, key_of(2), now_s=0.5) == []
    assert resent(sender, 0.5) == [2]


def test_frame_that_waits_for_the_window_or_is_being_encoded_comes_by_itself():
    sender = sender_of(group_work(window=1))
    (first,) = sender.frames_to_encode()
    assert wanted(sender, key_of(first.frame)) == []
    assert wanted(sender, key_of(4)) == []
    encode(sender, first)
    assert sender.in_flight == 1


def test_nothing_comes_of_a_wish_for_what_this_link_knows_nothing_of():
    sender = sender_of(group_work())
    done(sender)
    for key in (key_of(5), key_of(0, point=7), key_of(0, run="other"), key_of(0, link="other")):
        assert wanted(sender, key) == []


def test_no_more_frames_are_wanted_at_a_time_than_the_window():
    sender = sender_of(group_work(window=2))
    for pair in ((0, 1), (2, 3), (4,)):
        fly(sender)
        for frame in pair:
            finish(sender, frame, images=1 if frame == 4 else 2)
    sender.recorded(Recorded(run="demo", frames=[(0, frame) for frame in range(5)]))
    for frame in range(5):
        sender.wanted(key_of(frame), now_s=1.0)
    assert [plan.frame for plan in sender.frames_to_encode()] == [0, 1]


def test_work_is_kept_until_all_members_have_finished_it():
    sender = sender_of(group_work(), group_work(point=1))
    done(sender, point=0)
    sender.assign(group_work(point=2, lowest=1))
    assert sender.kept.points == []
    sender.wanted(key_of(0), now_s=5.0)
    assert 0 not in {plan.assignment.point for plan in sender.frames_to_encode()}


def test_work_of_another_run_is_forgotten_and_that_of_a_plain_link_never_kept():
    sender = sender_of(group_work())
    done(sender)
    sender.assign(group_work(run="next"))
    assert sender.kept.points == []
    plain = sender_of(assignment(window=8))
    done(plain)
    assert plain.kept.points == []


def test_kept_works_are_bounded():
    sender = sender_of(group_work())
    for point in range(MAX_WORKS + 3):
        sender.kept.keep(group_work(point=point))
    assert sender.kept.points == list(range(3, MAX_WORKS + 3))
