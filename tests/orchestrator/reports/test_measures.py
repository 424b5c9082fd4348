"""Measures in reports: as metrics of the task where items have values, else as a table."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from orchestrator.measures.kinds import FD_EFFNETLITE0, LPIPS, MS_SSIM
from orchestrator.measures.measured_run import format_measured_csv, with_measures
from orchestrator.measures.values import MeasuredValues, MeasureRecord, places_of
from orchestrator.reports.clustered import clustered_interval
from orchestrator.reports.curves import metric_curves, metrics_of
from orchestrator.reports.report import markdown_report, write_report
from orchestrator.results.run_folder import read_run
from orchestrator.results.summary import format_results_csv
from tests.orchestrator.kept_runs import kept_images

IMAGES = 70  # more than 20 frames, so that frames are clusters


def measured_as(folder, measure, values, *, leave=0):
    """Write values of a measure as if it had been computed; `leave` points have none."""
    run = read_run(folder)
    stored = MeasuredValues(folder, measure)
    stored.begin(
        MeasureRecord(
            measure=measure.name, results_digest=run.results_digest, weights={}, versions={}
        )
    )
    places = list(places_of(run, measure.task))
    for link, point in places[: len(places) - leave]:
        stored.keep(values(link, point), link=link, point=point)


def by_item(link, point):
    return np.random.default_rng([len(link), point]).uniform(0.1, 0.4, IMAGES)


@pytest.fixture
def run(tmp_path):
    return kept_images(tmp_path / "run", tmp_path / "data", images=IMAGES, seeds=(0, 1))


def test_sums_of_a_measure_are_those_of_its_items(run):
    measured_as(run, LPIPS, by_item)
    summary = with_measures(read_run(run)).summary
    for number, point in enumerate(summary.points):
        values = by_item("left", number)
        assert LPIPS.metric.value(point.score) == pytest.approx(values.mean(), abs=1e-7)
        low, high = LPIPS.metric.interval(point.score)
        half = 1.96 * values.std(ddof=1) / np.sqrt(IMAGES)
        assert high - low == pytest.approx(2 * half, rel=1e-3)
        assert point.clusters.total == point.score
        assert len(point.clusters.sums["lpips"]) == 24


def test_images_of_several_seeds_count_once(run):
    """The same values with both seeds are worth no more than those of one."""
    measured_as(run, LPIPS, lambda link, point: by_item(link, point % 2))
    found = with_measures(read_run(run))
    (curve,) = metric_curves([found], LPIPS.metric)
    for number, point in enumerate(curve.points):
        one = found.summary.points[number]
        assert one.score == found.summary.points[number + 2].score | {
            name: one.score[name] for name in one.score if "lpips" not in name
        }
        low, high = point.interval(LPIPS.metric)
        alone = clustered_interval(LPIPS.metric, one.score, 1, [one.clusters])
        assert high - low == pytest.approx(alone[1] - alone[0], rel=0.5)


def test_what_the_ledger_says_stays_as_it_is(run):
    before = read_run(run)
    measured_as(run, LPIPS, by_item)
    after = read_run(run)
    assert after == before
    measured = with_measures(after)
    for one, other in zip(measured.summary.points, before.summary.points, strict=True):
        assert {name: one.score[name] for name in other.score} == other.score
    plain = list(csv.DictReader(format_results_csv(before.summary).decode().splitlines()))
    rows = list(csv.DictReader(format_measured_csv(after).decode().splitlines()))
    assert [{name: row[name] for name in plain[0]} for row in rows] == plain


def test_a_measure_that_lacks_points_is_not_shown(run):
    measured_as(run, LPIPS, by_item, leave=1)
    assert with_measures(read_run(run)) == read_run(run)


def test_several_measures_are_shown_in_one_order(run):
    for measure in (MS_SSIM, LPIPS):
        measured_as(run, measure, by_item)
    names = [metric.name for metric in metrics_of([with_measures(read_run(run))])]
    assert names == ["psnr", "ssim", "mse", "lpips", "ms_ssim"]


def test_a_measured_run_is_reported_beside_one_that_is_not(run, tmp_path):
    measured_as(run, LPIPS, by_item)
    other = kept_images(tmp_path / "other", tmp_path / "data", images=IMAGES, seeds=(2, 3))
    text = markdown_report([run, other], data=tmp_path / "none")
    titles = re.findall(r"\*\*(tiles: \w+)[,*]", text)
    assert titles[:4] == ["tiles: PSNR", "tiles: SSIM", "tiles: MSE", "tiles: LPIPS"]
    assert "4 channel seeds" in text


def test_a_measure_of_points_is_a_table_and_a_column(run, tmp_path):
    measured_as(run, FD_EFFNETLITE0, lambda link, point: np.array([10.0 + point]))
    assert with_measures(read_run(run)) == read_run(run)  # it is no sum over items
    text = markdown_report([run], data=tmp_path / "none")
    assert "**Frechet distance, EfficientNet-Lite0**" in text
    assert "| 0 | 11.00 |" in text  # of points 0 and 2
    assert "| 10 | 12.00 |" in text
    assert "has no interval; the mean of 2 channel seeds" in text.replace("\n", " ")
    rows = list(csv.DictReader(format_measured_csv(read_run(run)).decode().splitlines()))
    assert [row["fd_effnetlite0"] for row in rows] == [
        "10.000000", "11.000000", "12.000000", "13.000000",
    ]  # fmt: skip
    page = write_report(tmp_path / "out", [run], data=tmp_path / "none").read_text()
    assert "<h2>Measures of whole points</h2>" in page


def test_users_of_one_channel_are_shown_by_themselves(tmp_path):
    for name, grouped in (("apart", False), ("together", True)):
        links = ("east", "west")
        kept_images(tmp_path / name, tmp_path / "data", links=links, grouped=grouped)
    apart, together = (
        write_report(tmp_path / "out" / name, [tmp_path / name], data=tmp_path / "none").read_text()
        for name in ("apart", "together")
    )
    assert re.findall("<h2>(.*?)</h2>", apart)[0] == "Systems"
    assert re.findall("<h2>(.*?)</h2>", together)[:4] == ["PSNR", "SSIM", "MSE", "Systems"]
    users = "<th>east \u00b7 RKD-SC</th><th>west \u00b7 RKD-SC</th>"
    assert users in together
    assert users not in apart
