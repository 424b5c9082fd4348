"""A stream at the transmitter: when frames are due, how they are numbered, what is shed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.messages import Recorded, StreamAssignment
from tests.transmitters.sending import assignment, encode, finish, fly, sender_of
from transmitters.frame_plan import FramePlan
from transmitters.streaming import BACKLOG_FRAMES, ArrivalProcess, Streamer


def stream_work(**changed):
    fields = assignment().model_dump()
    del fields["frames"], fields["lowest"]
    extra = {"epoch": 0, "rate_hz": 10.0, "arrivals": "fixed", "paused": False}
    return StreamAssignment.model_validate({**fields, **extra, **changed})


def streamer_of(work=None, *, now_s=0.0):
    sender = sender_of()
    streamer = Streamer(sender)
    assert streamer.follow(work or stream_work(), now_s)
    return sender, streamer


@given(st.sampled_from(["fixed", "poisson"]), st.floats(0.5, 200), st.integers(0, 99))
def test_arrivals_do_not_depend_on_when_one_looks(kind, rate_hz, seed):
    often = ArrivalProcess(kind, rate_hz=rate_hz, seed=str(seed), start_s=0.0)
    once = ArrivalProcess(kind, rate_hz=rate_hz, seed=str(seed), start_s=0.0)
    assert sum(often.due(0.1 * tick) for tick in range(101)) == once.due(0.1 * 100)


@pytest.mark.parametrize("kind", ["fixed", "poisson"])
def test_arrivals_have_their_rate(kind):
    process = ArrivalProcess(kind, rate_hz=50.0, seed="1", start_s=0.0)
    count = sum(process.due(float(second)) for second in range(1, 401))
    assert count == pytest.approx(20_000, rel=0.03)


def test_what_was_due_in_a_long_standstill_is_not_made_up_for():
    process = ArrivalProcess("fixed", rate_hz=10.0, seed="1", start_s=0.0)
    assert process.due(1e6) == 1


def test_frames_are_offered_at_the_rate_and_beyond_the_backlog_shed():
    sender, streamer = streamer_of()
    assert streamer.offer(0.45) == (5, 0)
    assert sender.points.backlog == 5
    assert len(sender.frames_to_encode()) == 3, "the window"
    offered, shed = streamer.offer(5.0)
    assert sender.points.backlog == BACKLOG_FRAMES
    state = streamer.state(refusals=0)
    assert (state.offered, state.shed) == (5 + offered, shed)
    assert state.offered - state.shed == state.unrecorded == sender.points.open_frames


def test_numbers_go_on_from_point_to_point_without_a_gap():
    sender, streamer = streamer_of()
    streamer.offer(0.15)
    assert not streamer.follow(stream_work(point=3), 0.2)
    streamer.offer(0.25)
    plans = sender.frames_to_encode()
    assert [(plan.assignment.point, plan.frame) for plan in plans] == [(0, 0), (0, 1), (3, 2)]
    state = streamer.state(refusals=2)
    assert (state.point, state.oldest, state.refusals) == (3, 0, 2)


def test_point_is_done_once_its_frames_are_recorded():
    sender, streamer = streamer_of()
    streamer.offer(0.05)
    fly(sender)
    finish(sender, 0)
    streamer.follow(stream_work(point=1), 0.1)
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    state = streamer.state(refusals=0)
    assert (state.oldest, state.unrecorded, state.in_flight) == (1, 0, 0)


def test_overtaken_message_does_not_lead_back():
    _, streamer = streamer_of(stream_work(point=5, epoch=4))
    assert not streamer.follow(stream_work(point=4, epoch=4), 0.1)
    assert not streamer.follow(stream_work(point=3, epoch=2), 0.1)
    assert streamer.state(refusals=0).point == 5


def test_new_epoch_forgets_the_old_one_and_numbers_from_0():
    sender, streamer = streamer_of()
    streamer.offer(0.45)
    (given_out, *_) = sender.frames_to_encode()
    assert streamer.follow(stream_work(point=7, epoch=7), 1.0)
    assert not sender.is_encoding(given_out)
    assert (sender.in_flight, sender.points.open_frames) == (0, 0)
    streamer.offer(1.0)
    assert [plan.key for plan in sender.frames_to_encode()] == [("demo", 7, 0)]
    assert streamer.state(refusals=0).offered == 1


def test_paused_stream_offers_nothing_and_makes_up_for_nothing():
    _, streamer = streamer_of()
    streamer.offer(0.0)
    streamer.follow(stream_work(paused=True), 0.1)
    assert streamer.offer(5.0) == (0, 0)
    assert streamer.wait_s(5.0, 0.7) == 0.7
    streamer.follow(stream_work(), 10.0)
    assert streamer.offer(10.0) == (1, 0)


def test_turns_through_the_data_set_keep_their_images_and_get_new_noise():
    """Nine images, two in a frame: the fifth frame of a turn has one."""
    plans = [FramePlan(stream_work(), frame) for frame in range(11)]
    assert [plan.first_image for plan in plans] == [0, 2, 4, 6, 8, 0, 2, 4, 6, 8, 0]
    assert [plan.images for plan in plans[3:7]] == [2, 1, 2, 2]
    assert [plan.first_on_air for plan in plans[4:7]] == [8, 9, 11]
    assert plans[10].first_on_air == 18


def test_images_on_the_air_never_leave_their_range():
    far = FramePlan(stream_work(images=4096, frame_images=4096), 2**31 - 1)
    assert far.first_on_air + far.images <= 2**31


def test_frames_on_the_air_carry_the_stream_index():
    sender, streamer = streamer_of(stream_work(rate_hz=100.0))
    streamer.offer(0.075)
    for plan in sender.frames_to_encode():
        flight = encode(sender, plan)
        assert flight.message.first_image == plan.first_on_air
