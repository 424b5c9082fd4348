"""Rolling statistics of a link."""

from __future__ import annotations

import pytest

from orchestrator.live.windows import HISTORY_S, History, Window, mean_db
from semcom.messages import FrameResult


def result(**changed):
    fields = {
        "point": 0, "frame": 0, "images": 10, "score": {"items": 10, "correct": 8},
        "answer": bytes(20), "attempts": 1, "encode_ms": 1.0, "channel_ms": 1.0,
        "batch_wait_ms": 1.0, "decode_ms": 1.0, "round_trip_ms": 20.0,
    }  # fmt: skip
    return FrameResult(**{**fields, **changed})


def test_window_holds_the_last_seconds_and_nothing_else():
    window = Window(10.0, start_s=0.0)
    window.add(result(score={"items": 10, "correct": 0}, round_trip_ms=900.0), 1.0)
    for second in range(12, 22):
        window.add(result(round_trip_ms=float(second), attempts=2), float(second))
    stats = window.stats(21.5)
    assert (stats.frames, stats.images, stats.retransmissions) == (10, 100, 10)
    assert stats.accuracy == 0.8
    assert stats.ci95_low < 0.8 < stats.ci95_high
    assert stats.p50_ms == 16.5
    assert (stats.frames_per_s, stats.images_per_s) == (1.0, 10.0)


def test_empty_window_knows_nothing():
    stats = Window(10.0, start_s=0.0).stats(100.0)
    assert stats.accuracy is stats.p50_ms is stats.snr_measured_db is None
    assert stats.frames_per_s == 0.0


def test_young_system_is_not_slow():
    window = Window(10.0, start_s=0.0)
    window.add(result(), 1.0)
    window.add(result(), 2.0)
    assert window.stats(2.0).frames_per_s == pytest.approx(1.0)


def test_measured_snr_is_that_of_the_newest_point_and_a_mean_of_powers():
    window = Window(10.0, start_s=0.0)
    window.add(result(point=3, snr_measured_db=30.0), 1.0)
    window.add(result(point=4, snr_measured_db=0.0), 2.0)
    window.add(result(point=4, snr_measured_db=10.0), 3.0)
    window.add(result(point=4), 4.0)
    assert window.stats(4.0).snr_measured_db == pytest.approx(mean_db([0.0, 10.0]))
    assert mean_db([0.0, 10.0]) == pytest.approx(7.404, abs=1e-3)


def test_history_is_bounded_and_its_columns_are_of_one_length():
    history, window = History(), Window(10.0, start_s=0.0)
    for second in range(HISTORY_S + 50):
        stats = window.stats(float(second))
        history.add(float(second), 5.0, stats, offered=2 * second, recorded=second)
    columns = history.columns
    assert {len(column) for column in columns.values()} == {HISTORY_S}
    assert columns["uptime_s"][0] == columns["recorded"][0] == 50.0
    assert columns["offered"][0] == 100.0
