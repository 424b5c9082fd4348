"""Rates of ordered codewords in reports: what counts together, and how it is drawn."""

from __future__ import annotations

from dataclasses import replace
from math import log10
from pathlib import Path

import numpy as np
import pytest

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import Plan, PlannedPoint
from orchestrator.reports.comparison import system_curves
from orchestrator.reports.curves import metric_curves
from orchestrator.reports.energy import energy_curves
from orchestrator.reports.evidence_page import energy_sections
from orchestrator.reports.label_bounds import label_bounds
from orchestrator.reports.paper_curves import paper_figures
from orchestrator.reports.paper_plot import draw_paper_figure
from orchestrator.reports.paper_style import read_style
from orchestrator.reports.paper_tables import latex_table
from orchestrator.reports.rate_page import rate_section
from orchestrator.reports.rates import rate_curves, rate_tables
from orchestrator.results.item_sums import _ordered
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
    sha256,
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
        (f"RKD-SC · {rate.label}", "rayleigh") for rate in RATES
    }


def test_page_has_a_figure_with_its_tables(run: StoredRun) -> None:
    parts, pictures = rate_section([run])
    assert parts[0] == "<h2>Symbols</h2>"
    assert [light[:4] for light, _ in pictures.values()] == [b"\x89PNG"]
    assert rate_section([]) == ([], {})


def test_figures_for_papers_have_a_line_per_snr_and_kind_against_symbols(run):
    figures = {each.axis: each for each in paper_figures([run], ratio_snr_db=5.0)}
    against = figures["symbols"]
    assert against.name == "accuracy-shapes10-nested-rayleigh-symbols"
    kinds = [(line.series, [at for at, _ in line.points]) for line in against.lines]
    assert kinds == [
        ("0 dB", [4.0, 30.0]), ("0 dB, until confident", [10.0]),
        ("10 dB", [4.0, 30.0]), ("10 dB, until confident", [10.0]),
    ]  # fmt: skip
    (axes,) = draw_paper_figure(against, read_style("ieee")).axes
    assert axes.get_xscale() == "log"
    assert r"Symbols & 0 dB & 0 dB, until confident" in latex_table(against)


@pytest.fixture
def known(run: StoredRun) -> StoredRun:
    """The same run, whose manifest tells of its codec."""
    codec = CodecFacts(
        name="nested", digest=sha256("nested"), dataset="shapes10", system="rkd-sc", symbols=30,
        parameters={}, classes=10, noise_free=0.98, family="rkd", source_values=3072,
    )  # fmt: skip
    return replace(run, manifest={"codecs": [codec.model_dump(mode="json")]})


def test_energy_counts_the_symbols_that_are_sent(known: StoredRun) -> None:
    curves = energy_curves(system_curves([known], TASK.METRICS[0]), [known])
    found = {curve.series.rpartition(" ")[2]: [p.snr_db for p in curve.points] for curve in curves}
    assert found.keys() == {rate.label for rate in RATES}
    for rate, symbols in SPENT.items():
        assert found[rate.label] == pytest.approx([10 * log10(symbols), 10 + 10 * log10(symbols)])


def test_page_shows_energy_but_not_of_the_mean_symbols(known: StoredRun) -> None:
    parts, pictures = energy_sections([known])
    assert parts[0] == "<h2>Energy and symbols</h2>"
    assert list(pictures) == ["energy"]
    assert energy_sections([]) == ([], {})


def test_each_fixed_length_has_its_own_label_bound(known: StoredRun) -> None:
    bounds = label_bounds(system_curves([known], TASK.METRICS[0]), [known])
    found = {bound.curve.series.rpartition(" ")[2]: bound.symbols for bound in bounds}
    assert found == {rate.label: symbols for rate, symbols in SPENT.items()}
    low, high = (next(b for b in bounds if b.symbols == k).at(-5.0) for k in (4, 30))
    assert low < high


def test_items_of_ordered_codewords_are_paired_with_their_symbols() -> None:
    answers = np.array([[3, 1], [4, 3], [5, 2]], dtype="<u2")
    sums = _ordered(TASK, answers, np.array([3, 9, 5], dtype=np.uint16))
    assert sums is not None
    assert {name: each.tolist() for name, each in sums.items()} == {
        "items": [1, 1, 1], "correct": [1, 0, 1], "symbols": [4, 30, 10],
        "symbols_squares": [16, 900, 100],
    }  # fmt: skip
    score = TASK.judge(answers, np.array([3, 9, 5], dtype=np.uint16))
    assert {name: int(each.sum()) for name, each in sums.items()} == score
    assert _ordered(TASK, answers, np.array([3], dtype=np.uint16)) is None
