"""Rates of ordered codewords in reports: what counts together, and how it is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.plan.plan import Plan, PlannedPoint
from orchestrator.reports.curves import metric_curves
from orchestrator.reports.rate_page import rate_section
from orchestrator.reports.rates import rate_curves, rate_tables
from orchestrator.results.run_folder import StoredRun, read_run
from semcom.increments import Rate
from semcom.points import ChannelSettings, PointSpec
from semcom.tasks.ordered_classification import OrderedClassification
from tests.orchestrator.ledgers import (
    fake_codec,
    fake_link,
    fake_plan,
    fake_tasks,
    fill_ledger,
)

TASK = OrderedClassification(classes=10, lengths=(4, 10, 30))
RATES = (Rate(increments=1), Rate(increments=3), Rate(confidence=0.9))
SPENT = {RATES[0]: 4, RATES[1]: 30, RATES[2]: 10}  # symbols of every image
RAYLEIGH = ChannelSettings(model="rayleigh")


def answered(spec: PointSpec, images: int) -> dict[str, object]:
    assert spec.rate is not None
    symbols = SPENT[spec.rate]
    right = 50 + symbols + int(spec.snr_db)  # of 100
    score = {
        "items": images,
        "correct": right * images // 100,
        "symbols": symbols * images,
        "symbols_squares": symbols**2 * images,
    }
    kept = np.array([[1, TASK.lengths.index(symbols) + 1]] * images, dtype="<u2")
    return {"score": score, "answer": kept.tobytes()}


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """Two seeds of three rates at two SNRs, of 100 images each."""
    plan: Plan = fake_plan({"camera": fake_link("shapes10", fake_codec("nested"), images=100)})
    points = [
        PlannedPoint(
            variant=0,
            spec=PointSpec(channel=RAYLEIGH, snr_db=snr_db, seed=seed, rate=rate),
        )
        for seed in (0, 1)
        for rate in RATES
        for snr_db in (0.0, 10.0)
    ]
    plan = plan.model_copy(update={"points": points})

    changes = {
        ("camera", index, frame): answered(point.spec, plan.frame_size("camera", frame))
        for index, point in enumerate(points)
        for frame in range(plan.frames("camera"))
    }
    return read_run(
        fill_ledger(tmp_path, plan, changes=changes, tasks=fake_tasks(plan, camera=TASK))
    )


def test_rates_of_a_codec_are_compared_at_each_snr(run: StoredRun) -> None:
    curves = rate_curves([run])
    assert [curve.place.snr_db for curve in curves] == [0.0, 10.0]
    assert curves[0].place[:3] == ("shapes10", "nested", "rayleigh")
    assert [(point.rate, point.symbols) for point in curves[0].points] == [
        (RATES[0], 4.0), (RATES[2], 10.0), (RATES[1], 30.0),
    ]  # fmt: skip
    assert [point.rate for point in curves[0].adaptive] == [RATES[2]]
    assert curves[0].points[0].score["items"] == 200, "seeds count together"


def test_table_has_a_row_for_each_snr_and_rate(run: StoredRun) -> None:
    (table,) = rate_tables(rate_curves([run]))
    assert table.title == "Accuracy against symbols: nested over Rayleigh, shapes10"
    assert [row[:3] for row in table.rows[:3]] == [
        ["0 dB", "increments=1", "4.0"],
        ["0 dB", "confidence=0.9", "10.0"],
        ["0 dB", "increments=3", "30.0"],
    ]
    assert table.rows[0][3].startswith("54.00 (")


def test_rate_belongs_to_the_series_and_not_to_the_channel(run: StoredRun) -> None:
    curves = metric_curves([run], TASK.METRICS[0])
    assert {(curve.series, curve.channel) for curve in curves} == {
        (f"rkd-sc · {rate.label}", "rayleigh") for rate in RATES
    }


def test_page_has_a_figure_with_its_tables(run: StoredRun) -> None:
    parts, pictures = rate_section([run])
    assert parts[0] == "<h2>Symbols</h2>"
    assert [light[:4] for light, _ in pictures.values()] == [b"\x89PNG"]
    assert rate_section([]) == ([], {})
