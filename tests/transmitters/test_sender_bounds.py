"""The sending end: what neither refusals nor older runs may do to it."""

from __future__ import annotations

import tracemalloc

import pytest

from semcom import wire
from semcom.errors import AccountingError, ConfigurationError
from semcom.messages import MAX_ITEMS, FrameResult, Recorded
from semcom.tasks.score import MAX_SUM
from semcom.tasks.task import MAX_KEPT_BYTES
from tests.transmitters.sending import (
    CODEC,
    FRAME_BYTES,
    answer_of,
    assignment,
    finish,
    fly,
    refusal_of,
    reported,
    resent,
    result_of,
    sender_of,
)
from tests.transmitters.test_streaming import stream_work
from transmitters.reports import MESSAGES_AT_ONCE, RESULT_BYTES, RESULTS_PER_MESSAGE, Reports
from transmitters.sender import Sender
from transmitters.streaming import BACKLOG_FRAMES, Streamer


def test_byte_window_holds_from_the_first_frame_on():
    sender = sender_of(assignment(window=9), window_bytes=2 * FRAME_BYTES)
    held = sum(flight.encoded.symbols_BK.nbytes for _ in range(9) for flight in fly(sender))
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


def answered_without_receipt(sender: Sender, rounds: int) -> int:
    """Frames are sent and answered while the window lets them; how many."""
    count = 0
    for _ in range(rounds):
        for flight in fly(sender):
            finish(sender, flight.plan.frame, images=flight.plan.images)
            count += 1
    return count


def test_results_without_receipts_stop_a_sweep_at_their_bound_and_none_is_lost():
    work = assignment((0, 5000), images=10_000, window=8)
    sender = sender_of(work, results_bytes=50 * RESULT_BYTES)
    count = answered_without_receipt(sender, 5000)
    assert 40 <= count <= 50 + 8
    assert sender.unrecorded == count
    assert sender.points.open_frames == 5000, "every frame is open until it is recorded"
    sender.recorded(Recorded(run="demo", frames=[(0, frame) for frame in range(20)]))
    assert answered_without_receipt(sender, 100) > 10, "it goes on where it stood"


def test_stream_without_receipts_sheds_what_is_due_and_counts_it():
    sender = sender_of(results_bytes=20 * RESULT_BYTES)
    streamer = Streamer(sender)
    streamer.follow(stream_work(rate_hz=100.0), 0.0)
    for tick in range(6000):
        streamer.offer(tick / 100)
        for flight in fly(sender):
            finish(sender, flight.plan.frame, images=flight.plan.images)
    state = streamer.state(refusals=0)
    assert state is not None
    assert sender.unrecorded <= 20 + 3, "the bound, and the window"
    assert state.unrecorded <= 20 + 3 + BACKLOG_FRAMES
    assert state.offered == 6000
    assert state.offered == state.shed + state.unrecorded, "offered = shed + open"


def test_results_that_wait_are_reported_in_pieces_the_oldest_first():
    sender = sender_of(assignment((0, 2000), images=4000, window=1024))
    while sender.points.backlog:
        answered_without_receipt(sender, 1)
    first, second = reported(sender, 10.0), reported(sender, 10.0)
    assert first == list(range(MESSAGES_AT_ONCE * RESULTS_PER_MESSAGE))
    assert [*first, *second] == list(range(2000))
    assert reported(sender, 10.0) == []


def result_with(*, frame: int = 0, sums: int, answer_bytes: int) -> FrameResult:
    """A result of a task with sums of long names and large values."""
    score = {f"s{number:02}".ljust(32, "x"): MAX_SUM - number for number in range(sums)}
    return FrameResult(
        point=0, frame=frame, images=4096, score=score, answer=bytes(answer_bytes),
        attempts=2**31 - 1, encode_ms=1.5, channel_ms=2.5, batch_wait_ms=3.5, decode_ms=4.5,
        round_trip_ms=9.5, snr_measured_db=-7.25,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sums", "answer_bytes"), [(1, 0), (2, 8192), (7, 32), (MAX_ITEMS, 32), (MAX_ITEMS, 8192)]
)
def test_results_take_no_more_memory_than_they_are_counted_with(sums: int, answer_bytes: int):
    count, max_bytes = 0, 1 << 21
    reports = Reports("link", max_bytes=max_bytes)
    tracemalloc.start()
    try:
        while not reports.full:
            result = result_with(frame=count, sums=sums, answer_bytes=answer_bytes)
            reports.add(("demo", 0, count), result, codec=CODEC)
            count += 1
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(reports) == count > 100
    assert taken < max_bytes


def test_largest_results_fit_into_one_message():
    reports = Reports("link", max_bytes=1 << 24)
    for frame in range(2 * RESULTS_PER_MESSAGE):
        largest = result_with(frame=frame, sums=MAX_ITEMS, answer_bytes=MAX_KEPT_BYTES)
        reports.add(("demo", 0, frame), largest, codec=CODEC)
    messages = reports.due(0.0)
    assert [len(message.results) for message in messages] == [RESULTS_PER_MESSAGE] * 2
    for message in messages:
        parts = wire.encode(message)
        assert len(parts[1]) <= wire.MAX_HEADER_BYTES
        assert wire.decode(parts)[0] == message


def test_results_that_could_not_leave_are_due_at_once():
    sender = sender_of(assignment())
    answered_without_receipt(sender, 1)
    (message,) = sender.reports.due(0.0)
    assert sender.reports.due(0.1) == []
    sender.reports.unsent(message)
    assert sender.reports.due(0.1) == [message]
    sender.recorded(Recorded(run="demo", frames=[(0, 0), (0, 1), (0, 2)]))
    sender.reports.unsent(message)
    assert sender.reports.due(9.0) == []


def test_more_frames_than_may_be_open_are_refused_whatever_an_assignment_says():
    sender = sender_of(assignment())
    far = assignment((0, 2**31 - 1), images=2**31 - 1, frame_images=1)
    with pytest.raises(ConfigurationError, match="frames assigned"):
        sender.assign(far)
    assert sender.points.open_frames == 5


def test_answers_are_remembered_in_few_bytes_whatever_their_length():
    sender = sender_of(assignment((0, 1), images=4096, frame_images=4096))
    (flight,) = fly(sender)
    finish(sender, 0, images=4096)
    assert all(len(kept) <= 16 for kept in sender._answers._digests.values())
    with pytest.raises(AccountingError):
        sender.answered(result_of(0), answer_of(2, 4096), now_s=1.0)
    assert flight.plan.images == 4096
