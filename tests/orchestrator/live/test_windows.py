"""Rolling statistics of a link."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import ClassVar

import pytest

from orchestrator.live.windows import HISTORY_S, History, Window, mean_db, metric_map
from semcom.messages import FrameResult
from semcom.tasks.classification import ACCURACY, Classification
from semcom.tasks.metric import Metric
from semcom.tasks.reconstruction import PSNR, PSNR_STEP_DB, SSIM
from tests.orchestrator.live.streaming import CLASSES, PICTURES


def window_of(task=CLASSES):
    return Window(10.0, start_s=0.0, task=task)


def result(**changed):
    fields = {
        "point": 0, "frame": 0, "images": 10, "score": {"items": 10, "correct": 8},
        "answer": bytes(20), "attempts": 1, "encode_ms": 1.0, "channel_ms": 1.0,
        "batch_wait_ms": 1.0, "decode_ms": 1.0, "round_trip_ms": 20.0,
    }  # fmt: skip
    return FrameResult(**{**fields, **changed})


def test_window_holds_the_last_seconds_and_nothing_else():
    window = window_of()
    window.add(result(score={"items": 10, "correct": 0}, round_trip_ms=900.0), 1.0)
    for second in range(12, 22):
        window.add(result(round_trip_ms=float(second), attempts=2), float(second))
    stats = window.stats(21.5)
    assert (stats.frames, stats.images, stats.retransmissions) == (10, 100, 10)
    assert stats.value == 0.8
    assert stats.ci95_low < 0.8 < stats.ci95_high
    assert stats.p50_ms == 16.5
    assert (stats.frames_per_s, stats.images_per_s) == (1.0, 10.0)


def test_empty_window_knows_nothing():
    stats = window_of().stats(100.0)
    assert stats.value is stats.p50_ms is stats.snr_measured_db is None
    assert stats.frames_per_s == 0.0


def test_young_system_is_not_slow():
    window = window_of()
    window.add(result(), 1.0)
    window.add(result(), 2.0)
    assert window.stats(2.0).frames_per_s == pytest.approx(1.0)


def test_measured_snr_is_that_of_the_newest_point_and_a_mean_of_powers():
    window = window_of()
    window.add(result(point=3, snr_measured_db=30.0), 1.0)
    window.add(result(point=4, snr_measured_db=0.0), 2.0)
    window.add(result(point=4, snr_measured_db=10.0), 3.0)
    window.add(result(point=4), 4.0)
    assert window.stats(4.0).snr_measured_db == pytest.approx(mean_db([0.0, 10.0]))
    assert mean_db([0.0, 10.0]) == pytest.approx(7.404, abs=1e-3)


def test_history_is_bounded_and_its_columns_are_of_one_length():
    history, window = History(), window_of()
    for second in range(HISTORY_S + 50):
        stats = window.stats(float(second))
        history.add(float(second), 5.0, stats, offered=2 * second, recorded=second)
    columns = history.columns
    assert {len(column) for column in columns.values()} == {HISTORY_S}
    assert columns["uptime_s"][0] == columns["recorded"][0] == 50.0
    assert columns["offered"][0] == 100.0


def test_value_is_that_of_the_tasks_main_metric_with_its_interval():
    window = window_of(PICTURES)
    for at_s, steps in ((1.0, [20.0, 22.0]), (2.0, [24.0, 26.0])):
        sums = [round(each / PSNR_STEP_DB) for each in steps]
        score = dict.fromkeys(PICTURES.SUMS, 0) | {
            "items": 2, "psnr": sum(sums), "psnr_squares": sum(each * each for each in sums),
        }  # fmt: skip
        window.add(result(images=2, score=score, answer=bytes(32)), at_s)
    stats = window.stats(3.0)
    assert (stats.value, stats.images) == (23.0, 4)
    assert stats.ci95_low < 23.0 < stats.ci95_high
    assert stats.ci95_high - stats.ci95_low == pytest.approx(2 * 1.96 * (20 / 3 / 4) ** 0.5, 1e-3)


def test_metric_is_described_for_pages_in_json():
    assert metric_map(ACCURACY) == {
        "name": "accuracy", "title": "Accuracy", "unit": "%", "scale": 100.0, "digits": 1,
        "limits": [0.0, 1.0], "better": "higher",
    }  # fmt: skip
    for metric in (PSNR, SSIM):
        assert json.loads(json.dumps(metric_map(metric))) == metric_map(metric)
    assert metric_map(PSNR)["limits"] == [None, None]


class Endless(Classification):
    """A task whose metric is no finite number."""

    METRICS: ClassVar[tuple[Metric, ...]] = (
        dataclasses.replace(ACCURACY, value=lambda _: math.inf, interval=lambda _: (0.0, math.nan)),
    )


def test_value_that_is_no_finite_number_is_left_out_of_the_status():
    window = window_of(Endless(classes=10))
    window.add(result(), 1.0)
    stats = window.stats(1.0)
    assert (stats.value, stats.ci95_low, stats.ci95_high) == (None, 0.0, None)


@pytest.mark.parametrize("value", [0.123456789, 28.123456789, 1.23456789e-5, 12345678.9])
def test_history_keeps_six_digits_of_a_value_whatever_its_size(value):
    history = History()
    stats = dataclasses.replace(window_of().stats(1.0), value=value)
    history.add(1.0, 5.0, stats, offered=0, recorded=0)
    (kept,) = history.columns["value"]
    assert kept == pytest.approx(value, rel=1e-5)
    assert len(repr(kept)) <= 12
