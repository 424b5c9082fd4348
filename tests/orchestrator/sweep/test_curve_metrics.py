"""The accuracy of a sweep as metrics: complete points only, over seeds, and not too many."""

from __future__ import annotations

import pytest

from orchestrator.results.ledger import Ledger
from orchestrator.sweep.curve_metrics import MAX_CURVE_SERIES, SweepAccuracy
from orchestrator.sweep.state import Sweep
from semcom.messages import FrameResult
from semcom.telemetry import Telemetry
from tests.orchestrator.ledgers import fake_link, fake_plan

LINK = "shapes10"


class Run:
    """A sweep with its ledger; `answer` records a frame with so many right answers."""

    def __init__(self, path, plan, *, telemetry=None):
        self.plan = plan
        self.ledger = Ledger(path, plan)
        recorded = self.ledger.recorded_frames()
        self.sweep = Sweep(plan, recorded=recorded, window=4, encode_once=True)
        self.telemetry = telemetry or Telemetry("orchestrator", "orchestrator")
        self.accuracy = SweepAccuracy(self.telemetry, self.sweep, self.ledger)

    def answer(self, point, frame, correct):
        images = self.plan.frame_size(LINK, frame)
        result = FrameResult(
            point=point,
            frame=frame,
            images=images,
            score={"items": images, "correct": correct},
            answer=bytes(2 * images),
            attempts=1,
            encode_ms=1,
            channel_ms=1,
            batch_wait_ms=1,
            decode_ms=1,
            round_trip_ms=1,
        )
        self.ledger.record(LINK, self.plan.codec_at(LINK, point).digest, [result])
        self.sweep.recorded(LINK, [(point, frame)])
        self.accuracy.recorded(LINK, {point})

    def shown(self, channel="awgn", snr_db="5"):
        labels = {"link": LINK, "channel": channel, "snr_db": snr_db}
        return self.telemetry.registry.get_sample_value("semcom_sweep_accuracy_ratio", labels)


@pytest.fixture
def run_of(tmp_path):
    runs = []

    def make(**plan):
        links = {LINK: fake_link(LINK, images=20)}
        options = {"frame_images": 10, "snr_db": (5.0,), **plan}
        runs.append(Run(tmp_path / "ledger.sqlite", fake_plan(links, **options)))
        return runs[-1]

    yield make
    for run in runs:
        run.ledger.close()


def test_point_has_an_accuracy_once_its_last_frame_is_recorded(run_of):
    run = run_of()
    run.answer(0, 0, 10)
    assert run.shown() is None
    run.answer(0, 1, 5)
    assert run.shown() == 0.75
    assert run.shown(channel="rayleigh") is None


def test_frames_that_are_recorded_again_change_nothing(run_of):
    run = run_of()
    for frame in (0, 1, 1):
        run.answer(0, frame, 5)
    assert run.shown() == 0.5


def test_seeds_of_a_point_are_taken_together(run_of):
    run = run_of(seeds=(0, 1))
    for point, correct in ((0, 10), (2, 4)):
        for frame in (0, 1):
            run.answer(point, frame, correct)
    assert run.shown() == 0.7


def test_resumed_sweep_shows_what_it_has(run_of):
    run = run_of()
    for frame in (0, 1):
        run.answer(0, frame, 9)
    run.answer(1, 0, 9)
    again = run_of()
    assert again.shown() == 0.9
    assert again.shown(channel="rayleigh") is None


def test_points_beyond_the_bound_are_counted_instead(run_of):
    run = run_of(snr_db=tuple(x / 10 for x in range(MAX_CURVE_SERIES)))
    for point in range(MAX_CURVE_SERIES + 3):
        for frame in (0, 1):
            run.answer(point, frame, 5)
    value = run.telemetry.registry.get_sample_value
    assert value("semcom_sweep_accuracy_skipped") == 3
    assert run.shown(snr_db="29.9") == 0.5
    assert run.shown(channel="rayleigh", snr_db="0") is None
