"""The main metric of a sweep's tasks: complete points only, over seeds, and not too many."""

from __future__ import annotations

from typing import Literal

import pytest

from orchestrator.results.ledger import Ledger
from orchestrator.sweep.curve_metrics import MAX_CURVE_SERIES, SweepCurves
from orchestrator.sweep.state import Sweep
from semcom.messages import FrameResult
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction
from semcom.telemetry import Telemetry
from tests.orchestrator.ledgers import CHANNELS, fake_codec, fake_link, fake_plan

LINK = "shapes10"


class Run:
    """A sweep with its ledger; `answer` records a frame with so many right answers."""

    def __init__(self, path, plan, *, telemetry=None, tasks=None):
        self.plan = plan
        self.ledger = Ledger(path, plan, tasks=tasks)
        recorded = self.ledger.recorded_frames()
        self.sweep = Sweep(plan, recorded=recorded, window=4, encode_once=True)
        self.telemetry = telemetry or Telemetry("orchestrator", "orchestrator")
        self.curves = SweepCurves(self.telemetry, self.sweep, self.ledger)

    def answer(self, point, frame, correct):
        images = self.plan.frame_size(LINK, frame)
        self.record(point, frame, {"items": images, "correct": correct}, bytes(2 * images))

    def record(self, point, frame, score, answer):
        images = self.plan.frame_size(LINK, frame)
        result = FrameResult(
            point=point,
            frame=frame,
            images=images,
            score=score,
            answer=answer,
            attempts=1,
            encode_ms=1,
            channel_ms=1,
            batch_wait_ms=1,
            decode_ms=1,
            round_trip_ms=1,
        )
        self.ledger.record(LINK, self.plan.codec_at(LINK, point).digest, [result])
        self.sweep.recorded(LINK, [(point, frame)])
        self.curves.recorded(LINK, {point})

    def shown(self, channel="awgn", snr_db="5", metric="accuracy"):
        labels = {"link": LINK, "channel": channel, "snr_db": snr_db, "metric": metric}
        return self.telemetry.registry.get_sample_value("semcom_sweep_metric", labels)


@pytest.fixture
def run_of(tmp_path):
    runs = []

    def make(*, codecs=(), tasks=None, **plan):
        links = {LINK: fake_link(LINK, *codecs, images=20)}
        options = {"frame_images": 10, "snr_db": (5.0,), **plan}
        runs.append(Run(tmp_path / "ledger.sqlite", fake_plan(links, **options), tasks=tasks))
        return runs[-1]

    yield make
    for run in runs:
        run.ledger.close()


def test_point_has_a_value_once_its_last_frame_is_recorded(run_of):
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
    assert value("semcom_sweep_metric_skipped") == 3
    assert run.shown(snr_db="29.9") == 0.5
    assert run.shown(channel="rayleigh", snr_db="0") is None


CLASSIFIER, PAINTER = fake_codec("classifier"), fake_codec("painter")
CLASSES, PICTURES = Classification(classes=10), Reconstruction(shape=(32, 32, 3))


class OtherClasses(Classification):
    """Another task whose metric has the same name."""

    kind: Literal["other"] = "other"  # type: ignore[assignment]


def test_codecs_of_two_tasks_on_one_link_have_a_curve_each(run_of):
    tasks = {CLASSIFIER.digest: CLASSES, PAINTER.digest: PICTURES}
    run = run_of(codecs=(CLASSIFIER, PAINTER), tasks=tasks)
    painted = run.plan.points_of(LINK)[2]  # after both channels of the classifier
    assert run.plan.codec_at(LINK, painted) == PAINTER
    sums = dict.fromkeys(PICTURES.SUMS, 0) | {"items": 10, "psnr": 10 * 28 * 2**16}
    for frame in (0, 1):
        run.answer(0, frame, 8)
        run.record(painted, frame, sums, bytes(32))
    assert run.shown() == 0.8
    assert run.shown(metric="psnr") == 28.0
    assert run.shown(channel="rayleigh", metric="psnr") is None


def test_two_tasks_with_one_name_of_a_metric_are_not_added(run_of):
    tasks = {CLASSIFIER.digest: CLASSES, PAINTER.digest: OtherClasses(classes=10)}
    run = run_of(codecs=(CLASSIFIER, PAINTER), channels=CHANNELS[:1])
    run.ledger.tasks = tasks
    for point, right in ((0, 8), (1, 2)):
        for frame in (0, 1):
            run.answer(point, frame, right)
    assert run.shown() == 0.8
    value = run.telemetry.registry.get_sample_value
    assert value("semcom_sweep_metric_skipped") == 1
