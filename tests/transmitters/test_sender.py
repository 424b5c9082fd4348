"""The sending end: windows, answers and receipts."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from semcom import wire
from semcom.errors import AccountingError, CheckpointError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.messages import Recorded
from tests.transmitters.sending import (
    CODEC,
    FRAME_BYTES,
    LINK,
    OTHER_CODEC,
    answer_of,
    assignment,
    encode,
    finish,
    fly,
    refusal_of,
    reported,
    result_of,
    sender_of,
)
from transmitters import answers
from transmitters.sender import Judged

# Frames and the window


def test_frames_are_cut_from_the_images_of_the_point():
    plans = sender_of(assignment(window=9)).frames_to_encode()
    assert [(plan.first_image, plan.images) for plan in plans] == [
        (0, 2), (2, 2), (4, 2), (6, 2), (8, 1),
    ]  # fmt: skip


def test_only_assigned_frames_are_sent_each_once():
    sender = sender_of(assignment((0, 2), (4, 5), window=9))
    assert [plan.frame for plan in sender.frames_to_encode()] == [0, 1, 4]
    assert sender.frames_to_encode() == []


def test_frames_are_taken_up_once_and_open_until_they_are_recorded():
    sender = sender_of()
    assert sender.assign(assignment((0, 2))) == 2
    assert sender.assign(assignment((0, 3))) == 1
    assert sender.points.open_frames == 3
    fly(sender)
    finish(sender, 0)
    assert sender.points.open_frames == 3
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    assert sender.points.open_frames == 2


def test_message_says_what_the_frame_is():
    flight = fly(sender_of(assignment((4, 5))), now_s=7.0)[0]
    assert flight.message == SymbolFrame(
        key=FrameKey(run="demo", point=0, link=LINK, frame=4),
        first_image=8,
        images=1,
        symbols=3,
        codec=CODEC,
    )
    decoded, symbols = wire.decode(wire.encode(flight.message, flight.encoded.symbols_BK))
    assert decoded == flight.message
    assert np.array_equal(symbols, flight.encoded.symbols_BK)


def test_window_bounds_frames_encoding_and_in_flight_together():
    sender = sender_of(assignment(window=3))
    plans = sender.frames_to_encode()
    assert len(plans) == 3
    encode(sender, plans[0])
    assert sender.frames_to_encode() == []
    for plan in plans[1:]:
        encode(sender, plan)
    assert sender.frames_to_encode() == []
    assert sender.in_flight == 3
    sender.answered(result_of(1), answer_of(1), now_s=1.0)
    assert [plan.frame for plan in sender.frames_to_encode()] == [3]
    assert sender.frames_to_encode() == []


def test_window_spans_all_points_of_the_link():
    sender = sender_of(assignment(window=4), assignment(window=4, point=1))
    plans = sender.frames_to_encode()
    assert [(plan.assignment.point, plan.frame) for plan in plans] == [(0, f) for f in range(4)]
    for plan in plans:
        encode(sender, plan)
        sender.answered(result_of(plan.frame), answer_of(1), now_s=0)
    later = sender.frames_to_encode()
    assert [(plan.assignment.point, plan.frame) for plan in later] == [
        (0, 4), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip


def test_refused_frame_keeps_its_place_in_the_window():
    sender = sender_of(assignment(window=2))
    fly(sender)
    sender.refused(refusal_of(0), now_s=0)
    assert sender.frames_to_encode() == []
    assert sender.in_flight == 2


def test_bytes_in_flight_hold_back_what_the_frame_window_would_allow():
    sender = sender_of(assignment(window=9), window_bytes=2 * FRAME_BYTES)
    fly(sender)  # one alone: its size is not known yet
    fly(sender)
    assert sender.in_flight == 2
    assert sender.frames_to_encode() == []
    finish(sender, 0)
    assert len(sender.frames_to_encode()) == 1, "what is being encoded counts too"
    assert sender.frames_to_encode() == []


def test_frame_above_the_byte_window_still_goes_alone():
    sender = sender_of(assignment(window=1), window_bytes=1)
    for frame in range(5):
        assert [flight.plan.frame for flight in fly(sender)] == [frame]
        finish(sender, frame, images=2 if frame < 4 else 1)


# Answers


def test_answer_ends_the_flight_and_is_reported_with_its_durations():
    sender = sender_of(assignment())
    fly(sender, now_s=10.0)
    flight = sender.answered(result_of(1), answer_of(7), now_s=10.5)
    assert flight is not None
    assert flight.plan.frame == 1
    sender.finished(flight, result_of(1), Judged({"items": 2, "correct": 2}, answer_of(7)), 10.5)
    assert (sender.in_flight, sender.unrecorded) == (2, 1)
    (message,) = sender.reports.due(10.5)
    assert (message.run, message.link, message.codec) == ("demo", LINK, CODEC)
    (result,) = message.results
    assert result.model_dump() == {
        "point": 0, "frame": 1, "images": 2, "score": {"items": 2, "correct": 2},
        "answer": b"\7\0\7\0", "attempts": 1, "encode_ms": 2.0, "channel_ms": 3.0,
        "batch_wait_ms": 4.0, "decode_ms": 5.0, "round_trip_ms": 500.0, "snr_measured_db": None,
    }  # fmt: skip


def test_repeated_answer_is_ignored():
    sender = sender_of(assignment())
    fly(sender)
    finish(sender, 0)
    assert sender.answered(result_of(0), answer_of(1), now_s=1.0) is None
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    assert sender.answered(result_of(0), answer_of(1), now_s=2.0) is None
    assert reported(sender, 3.0) == []


def test_two_different_answers_to_a_frame_fail_the_run():
    sender = sender_of(assignment())
    fly(sender)
    finish(sender, 0, answer=1)
    with pytest.raises(AccountingError, match="two different answers to frame 0 of point 0"):
        sender.answered(result_of(0), answer_of(2), now_s=1.0)


def test_two_different_answers_are_noticed_after_the_first_was_recorded():
    sender = sender_of(assignment())
    fly(sender)
    finish(sender, 0, answer=1)
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    with pytest.raises(AccountingError):
        sender.answered(result_of(0), answer_of(2), now_s=1.0)


def test_same_frame_of_another_point_may_be_answered_otherwise():
    sender = sender_of(assignment(window=9), assignment(point=1, window=9))
    fly(sender)
    finish(sender, 0, answer=1)
    finish(sender, 0, answer=2, point=1)
    assert sender.unrecorded == 2


@pytest.mark.parametrize(
    "changed", [{"run": "older"}, {"point": 4}, {"frame": 4}, {"link": "cifar100"}]
)
def test_answer_to_what_is_not_in_flight_is_ignored(changed):
    sender = sender_of(assignment(window=2))
    fly(sender)
    assert sender.answered(result_of(**{"frame": 0, **changed}), answer_of(1), now_s=1.0) is None
    assert sender.in_flight == 2
    finish(sender, 0)


def test_answer_of_another_codec_is_refused():
    sender = sender_of(assignment())
    fly(sender)
    with pytest.raises(CheckpointError, match="a codec other than the frame's") as caught:
        sender.answered(result_of(0, codec=OTHER_CODEC), answer_of(1), now_s=1.0)
    assert caught.value.exit_code == 6


# Results and receipts


def test_results_are_sent_again_until_they_are_recorded():
    sender = sender_of(assignment())
    fly(sender)
    finish(sender, 0)
    finish(sender, 1)
    assert reported(sender, 10.0) == [0, 1]
    assert reported(sender, 11.9) == []
    assert reported(sender, 12.0) == [0, 1]
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    assert reported(sender, 14.0) == [1]
    finish(sender, 2)
    assert reported(sender, 14.5) == [2]
    sender.recorded(Recorded(run="demo", frames=[(0, 1), (0, 2)]))
    assert reported(sender, 100.0) == []
    assert sender.unrecorded == 0


def test_receipt_of_another_run_or_point_counts_for_nothing():
    sender = sender_of(assignment())
    fly(sender)
    finish(sender, 0)
    sender.recorded(Recorded(run="older", frames=[(0, 0)]))
    sender.recorded(Recorded(run="demo", frames=[(1, 0)]))
    assert reported(sender, 1.0) == [0]


def test_results_are_cut_into_messages_that_fit_the_wire():
    images = 4096
    sender = sender_of(assignment((0, 40), images=40 * images, frame_images=images, window=64))
    for frame in range(40):
        fly(sender)
        finish(sender, frame, images=images)
    messages = sender.reports.due(1.0)
    assert sum(len(message.results) for message in messages) == 40
    for message in messages:
        assert wire.decode(wire.encode(message))[0] == message


def test_results_of_two_codecs_are_reported_apart():
    sender = sender_of(
        assignment(window=9), assignment(window=9, point=1, codec_digest=OTHER_CODEC)
    )
    fly(sender)
    finish(sender, 0)
    finish(sender, 0, point=1, codec=OTHER_CODEC)
    messages = sender.reports.due(1.0)
    assert {message.codec: [r.point for r in message.results] for message in messages} == {
        CODEC: [0],
        OTHER_CODEC: [1],
    }


def test_point_is_busy_until_its_last_frame_is_recorded():
    sender = sender_of(assignment((0, 2)), assignment((0, 1), point=7))
    assert sender.points.indices == [0, 7]
    fly(sender)
    finish(sender, 0)
    finish(sender, 1)
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    assert sender.points.indices == [0, 7]
    sender.recorded(Recorded(run="demo", frames=[(0, 1)]))
    assert sender.points.indices == [7]


def test_assignment_sent_twice_changes_nothing():
    sender = sender_of(assignment(window=9), assignment(window=9))
    assert len(sender.frames_to_encode()) == 5
    sender.assign(assignment(window=9))
    assert sender.frames_to_encode() == []


@pytest.mark.parametrize("stage", ["encoding", "in flight", "unrecorded"])
def test_frame_at_work_is_not_taken_up_again(stage):
    sender = sender_of(assignment((0, 1)))
    plans = sender.frames_to_encode()
    if stage != "encoding":
        encode(sender, plans[0])
    if stage == "unrecorded":
        finish(sender, 0)
    sender.assign(assignment((0, 1)))
    assert sender.frames_to_encode() == []
    assert sender.points.indices == [0]


def test_more_frames_of_a_point_at_work_are_added():
    sender = sender_of(assignment((0, 2), window=9))
    fly(sender)
    sender.assign(assignment((1, 4), window=9))
    assert [plan.frame for plan in sender.frames_to_encode()] == [2, 3]


def test_recorded_frame_that_is_asked_for_again_is_sent_and_reported_again():
    """As after a ledger was lost, or when an assignment crossed its receipt."""
    sender = sender_of(assignment((0, 1)))
    fly(sender)
    finish(sender, 0)
    sender.recorded(Recorded(run="demo", frames=[(0, 0)]))
    sender.assign(assignment((0, 1)))
    fly(sender)
    finish(sender, 0)
    assert sender.in_flight == 0
    assert reported(sender, 1.0) == [0]


def test_answers_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(answers, "ANSWERS_REMEMBERED", 3)
    sender = sender_of(assignment(window=9))
    fly(sender)
    for frame in range(4):
        finish(sender, frame)
    assert sender.answered(result_of(0), answer_of(9), now_s=0) is None
    with pytest.raises(AccountingError):
        sender.answered(result_of(1), answer_of(9), now_s=0)


def test_answers_of_an_earlier_run_are_forgotten():
    sender = sender_of(assignment(window=9))
    fly(sender)
    finish(sender, 0, answer=1)
    sender.keep_only("another")
    assert sender.answered(result_of(0), answer_of(2), now_s=1.0) is None


def test_answer_of_a_frame_that_met_others_than_before_is_no_conflict():
    """A restarted channel may let a frame meet others: the first answer counts."""
    sender = sender_of(assignment())
    fly(sender)
    first = msgspec.structs.replace(result_of(0), absent=["b"])
    flight = sender.answered(first, answer_of(1), now_s=1.0)
    assert flight is not None
    sender.finished(flight, first, Judged({"items": 2, "correct": 1}, answer_of(1)), 1.0)
    assert sender.answered(result_of(0), answer_of(2), now_s=2.0) is None
    (report,) = sender.reports.due(10.0)
    assert report.results[0].absent == ["b"]
    with pytest.raises(AccountingError):
        sender.answered(first, answer_of(3), now_s=3.0)
