"""Runs of reconstruction, alone and beside classification, from the ledger to the last table."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import PlannedLink
from orchestrator.reports import latency_plot, metric_plot
from orchestrator.reports.comparison import system_curves
from orchestrator.reports.comparison_page import ratio_sections, systems_section
from orchestrator.reports.comparison_plots import ratio_figure, systems_figure
from orchestrator.reports.console_tables import run_tables, system_tables
from orchestrator.reports.curves import metric_curves, metrics_of, pooled_results
from orchestrator.reports.metric_plot import metric_figure
from orchestrator.reports.metric_texts import (
    axis_label,
    heading,
    limits_of,
    picture_names,
    shade,
    stated_text,
)
from orchestrator.reports.ratios import ratio_curves, ratio_curves_of_results
from orchestrator.reports.report import markdown_report, write_report
from orchestrator.results.run_folder import open_ledger, read_run
from orchestrator.results.summary import EFFORT, PLACE, format_results_csv, write_results_csv
from orchestrator.results.verify import verify_run
from semcom.errors import AccountingError
from semcom.shards import Shard
from semcom.tasks.classification import ACCURACY
from semcom.tasks.columns import TASK
from semcom.tasks.metric import TAKEN, mean
from semcom.tasks.reconstruction import MSE, PSNR, SSIM
from tests.orchestrator.judged import IMAGES, write_labelled
from tests.orchestrator.ledgers import (
    CHANNELS,
    RECONSTRUCTION,
    fake_codec,
    fake_link,
    fake_plan,
    fake_tasks,
    fill_ledger,
    write_manifest,
)
from tests.orchestrator.records import fake_facts
from tests.orchestrator.reports.test_figures import check_inside
from tests.properties import examples

IMAGE_METRICS = [PSNR, SSIM, MSE]
IMAGE_COLUMNS = [
    "sum_psnr", "sum_psnr_squares", "sum_ssim", "sum_ssim_squares", "sum_mse", "sum_mse_squares",
    "psnr", "psnr_ci95_low", "psnr_ci95_high", "ssim", "ssim_ci95_low", "ssim_ci95_high",
    "mse", "mse_ci95_low", "mse_ci95_high",
]  # fmt: skip
CLASS_COLUMNS = ["correct", "accuracy", "ci95_low", "ci95_high"]


def images_run(folder, *, ratios=None, kind="sweep", **plan):
    """A run that reconstructs: one link with a codec, or with one per compression ratio."""
    names = {f"r{ratio}": ratio for ratio in ratios or (0.5,)}
    plan = fake_plan({"pictures": fake_link("shapes10", *map(fake_codec, names))}, **plan)
    fill_ledger(folder, plan, tasks=fake_tasks(plan, pictures=RECONSTRUCTION))
    facts = [fake_facts(name, "shapes10", ratio=ratio) for name, ratio in names.items()]
    write_manifest(folder, plan, kind=kind, codecs=facts)
    write_results_csv(folder / "results.csv", read_run(folder).summary)
    return folder


def mixed_run(folder, **plan):
    """A run with a link that classifies and one that reconstructs, over one data set."""
    links = {
        "classes": fake_link("shapes10", fake_codec("ours")),
        "pictures": fake_link("shapes10", fake_codec("painter", "deep-jscc")),
    }
    plan = fake_plan(links, **plan)
    fill_ledger(folder, plan, tasks=fake_tasks(plan, pictures=RECONSTRUCTION))
    write_manifest(folder, plan)
    write_results_csv(folder / "results.csv", read_run(folder).summary)
    return folder


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))


def printed(tables):
    console = Console(width=140, color_system=None)
    with console.capture() as capture:
        for table in tables:
            console.print(table)
    return capture.get()


class TestResults:
    def test_a_point_has_the_sums_of_all_its_frames(self, tmp_path):
        summary = read_run(images_run(tmp_path)).summary
        assert summary.metrics == IMAGE_METRICS
        with open_ledger(tmp_path) as ledger:
            for point in summary.points:
                assert point.task == RECONSTRUCTION
                assert set(point.score) == set(RECONSTRUCTION.SUMS)
            assert summary.points[0].score == ledger.score("pictures", 0)

    def test_csv_has_sums_and_metrics_of_the_task(self, tmp_path):
        row = rows_of(images_run(tmp_path))[0]
        assert list(row)[:8] == [
            "link", "dataset", "system", "channel", "snr_db", "seed", "images", "task",
        ]  # fmt: skip
        assert list(row)[8:-7] == IMAGE_COLUMNS
        assert row["task"] == "reconstruction"
        low, value, high = (float(row[f"psnr{end}"]) for end in ("_ci95_low", "", "_ci95_high"))
        assert low < value < high

    def test_mixed_run_has_the_columns_of_both_tasks_and_blanks(self, tmp_path):
        rows = rows_of(mixed_run(tmp_path))
        assert list(rows[0])[7:-7] == ["task", *CLASS_COLUMNS, *IMAGE_COLUMNS]
        for row in rows:
            own, other = CLASS_COLUMNS, IMAGE_COLUMNS
            if row["link"] == "pictures":
                own, other = other, own
            assert all(row[name] for name in own)
            assert not any(row[name] for name in other)

    def test_csv_is_pooled_exactly(self, tmp_path):
        run = read_run(mixed_run(tmp_path, seeds=(0, 1, 2)))
        found = pooled_results((tmp_path / "results.csv").read_text())
        assert {series.task for series in found} == {"classification", "reconstruction"}
        for metric in metrics_of([run]):
            for curve in metric_curves([run], metric):
                (points,) = [
                    points
                    for series, points in found.items()
                    if (series.task, series.channel) == (curve.task, curve.channel)
                ]
                assert points == curve.points
                # Without the frames of a ledger, images count once as if all seeds agreed.
                for point, found_of_frames in zip(points, curve.intervals, strict=True):
                    low, high = point.interval(metric)
                    assert high - low >= 0.9 * (found_of_frames[1] - found_of_frames[0])

    def test_verify_tells_the_scores_of_each_task(self, tmp_path):
        run = read_run(mixed_run(tmp_path))
        scores = verify_run(tmp_path).scores
        assert set(scores) == {"classification", "reconstruction"}
        for kind, score in scores.items():
            points = [point.score for point in run.summary.points if point.task.kind == kind]
            assert score == {name: sum(each[name] for each in points) for name in points[0]}

    def test_verify_says_that_answers_of_which_digests_are_kept_are_not_judged(self, tmp_path):
        write_labelled(tmp_path / "data")
        digest = Shard(tmp_path / "data" / "hundred", "test").digest
        link = PlannedLink(
            dataset="hundred", dataset_digest=digest, images=IMAGES, codecs=[fake_codec("painter")]
        )
        plan = fake_plan({"hundred": link}, snr_db=(0.0,))
        fill_ledger(tmp_path, plan, tasks=fake_tasks(plan, hundred=RECONSTRUCTION))
        found = verify_run(tmp_path, tmp_path / "data")
        assert found.judged == ()
        reason = "its ledger keeps no answers, only their digests"
        assert found.not_judged == {"hundred": reason}
        assert f"not judged again: hundred, {reason}" in found.lines()

    def test_verify_refuses_another_psnr_in_the_csv(self, tmp_path):
        path = images_run(tmp_path) / "results.csv"
        value = rows_of(tmp_path)[3]["psnr"]
        path.write_text(path.read_text().replace(value, "99.000000", 1))
        with pytest.raises(
            AccountingError, match=r"results\.csv line 5 does not agree with the ledger"
        ):
            verify_run(tmp_path)


class TestTables:
    def test_terminal_has_a_table_per_metric_of_the_links_that_have_it(self, tmp_path):
        text = printed(run_tables(read_run(mixed_run(tmp_path)).summary))
        titles = re.findall(r"demo: (.*) against Es/N0 in dB", text)
        assert titles == ["accuracy in %", "PSNR in dB", "SSIM", "MSE"]
        assert text.count("classes") == 1
        assert text.count("pictures") == 3

    def test_incomplete_points_are_told_where_they_are(self, tmp_path):
        plan = fake_plan({name: fake_link(name) for name in ("classes", "pictures")})
        tasks = fake_tasks(plan, pictures=RECONSTRUCTION)
        fill_ledger(tmp_path, plan, tasks=tasks, skip={("pictures", 1, 0)})
        tables = [printed([table]) for table in run_tables(read_run(tmp_path).summary)]
        assert ["… not complete" in text for text in tables] == [False, True, True, True]

    def test_evaluations_are_compared_by_every_metric(self, tmp_path):
        run = read_run(images_run(tmp_path, ratios=(0.9, 0.2), kind="evaluation"))
        text = printed(system_tables([run]))
        assert "shapes10: PSNR in dB against" in text
        assert text.count("RKD-SC, ratio 0.2") == 2 * 3

    def test_markdown_has_a_titled_table_per_metric(self, tmp_path):
        text = markdown_report([mixed_run(tmp_path)])
        assert re.findall(r"\*\*(.*)\*\*", text) == ["accuracy, %", "PSNR, dB", "SSIM", "MSE"]
        assert re.search(r"\| -5 \| \d\d\.\d\d \(\d\d\.\d\d to \d\d\.\d\d\) \|", text)

    def test_markdown_of_evaluations_names_data_set_metric_and_ratios(self, tmp_path):
        folder = images_run(tmp_path, ratios=(0.9, 0.2), kind="evaluation", snr_db=(-10.0, 0.0))
        text = markdown_report([folder])
        assert re.findall(r"\*\*(.*)\*\*", text)[:6] == [
            "shapes10: PSNR, dB", "shapes10: SSIM", "shapes10: MSE",
            "shapes10: PSNR at -10 dB, dB", "shapes10: SSIM at -10 dB", "shapes10: MSE at -10 dB",
        ]  # fmt: skip

    def test_ratios_of_a_csv_are_those_of_the_run(self, tmp_path):
        folder = images_run(tmp_path, ratios=(0.9, 0.2), snr_db=(-10.0,), seeds=(0, 1))
        run = read_run(folder)
        codecs = [CodecFacts.model_validate(each) for each in run.manifest["codecs"]]
        results = format_results_csv(run.summary).decode()
        for metric in IMAGE_METRICS:
            found = ratio_curves_of_results(results, codecs, metric, snr_db=-10.0)
            assert found == ratio_curves([run], metric, snr_db=-10.0)
            assert len(found) == 2
        assert ratio_curves_of_results(results, codecs, ACCURACY, snr_db=-10.0) == []


class TestPages:
    def test_page_has_a_figure_per_metric_main_metric_first(self, tmp_path):
        page = write_report(tmp_path / "out", [mixed_run(tmp_path / "run", snr_db=(0.0, 5.0))])
        text = page.read_text(encoding="utf-8")
        titles = re.findall("<h2>(.*?)</h2>", text)
        assert titles == ["Accuracy", "PSNR", "SSIM", "MSE", "Latency", "What was run"]
        assert "MSE against Es/N0 per complex symbol; lower is better" in text
        assert {path.name for path in page.parent.glob("*.png")} == {
            f"{name}.png" for name in ("accuracy", "psnr", "ssim", "mse", "latency")
        }
        assert text.count("<img") == 5

    def test_systems_are_compared_by_what_several_have(self, tmp_path):
        codecs = fake_codec("plain", "jscc-student"), fake_codec("painter", "deep-jscc")
        links = {"classes": fake_link("d", fake_codec("ours"), codecs[0])}
        links["pictures"] = fake_link("d", codecs[1])
        plan = fake_plan(links, snr_db=(0.0,))
        fill_ledger(tmp_path, plan, tasks=fake_tasks(plan, pictures=RECONSTRUCTION))
        parts, pictures = systems_section([read_run(tmp_path)])
        assert set(pictures) == {"systems"}
        assert "d: accuracy, %" in "".join(parts)
        assert "PSNR" not in "".join(parts)

    def test_two_runs_are_compared(self, tmp_path, monkeypatch):
        for plot, name in ((metric_plot, "metric_png"), (latency_plot, "latency_png")):
            monkeypatch.setattr(plot, name, lambda *_: bytes(24))
        runs = [images_run(tmp_path / name, snr_db=(0.0,)) for name in ("one", "two")]
        page = write_report(tmp_path / "out", runs)
        text = page.read_text(encoding="utf-8")
        for name in ("one · RKD-SC", "two · RKD-SC"):
            assert name in text
        assert "ccuracy" not in text.split("<h1>")[1]
        assert sorted(path.name for path in page.parent.glob("*.png")) == [
            "latency.png", "mse.png", "psnr.png", "ssim.png",
        ]  # fmt: skip

    def test_evaluations_of_ratios_have_figures_of_every_metric(self, tmp_path):
        plan = {"snr_db": (-10.0,), "channels": CHANNELS[:1]}
        run = read_run(images_run(tmp_path, ratios=(0.9, 0.2), kind="evaluation", **plan))
        parts, pictures = ratio_sections([run], snr_db=-10.0)
        assert list(pictures) == ["ratios-psnr", "ratios-ssim", "ratios-mse"]
        assert "MSE at -10 dB of codecs that differ in compression ratio" in "".join(parts)
        for metric in IMAGE_METRICS:
            check_inside(systems_figure(system_curves([run], metric)))
            check_inside(ratio_figure(ratio_curves([run], metric, snr_db=-10.0), snr_db=-10.0))

    def test_a_run_of_other_tasks_is_no_evidence_for_the_papers_claims(self, tmp_path):
        folder = images_run(tmp_path, kind="evaluation", snr_db=(-10.0, 25.0))
        assert system_curves([read_run(folder)], ACCURACY) == []
        assert "Claims of the paper" not in markdown_report([folder])

    def test_axes_are_those_of_the_metric(self, tmp_path):
        run = read_run(images_run(tmp_path))
        for metric, label in ((PSNR, "PSNR (dB)"), (SSIM, "SSIM"), (MSE, "MSE (lower is better)")):
            curves = metric_curves([run], metric)
            figure = metric_figure(curves)
            check_inside(figure)
            (axes,) = figure.axes
            assert axes.get_ylabel() == label
            bottom, top = axes.get_ylim()
            ends = [end for curve in curves for interval in curve.intervals for end in interval]
            assert bottom <= min(ends) < max(ends) < top
        assert axes.get_ylim()[0] == 0  # no squared error is below


class TestTexts:
    def test_headings_and_labels(self):
        assert (heading(ACCURACY), axis_label(ACCURACY)) == ("accuracy, %", "accuracy (%)")
        assert heading(PSNR, "at 5 dB") == "PSNR at 5 dB, dB"
        assert axis_label(SSIM) == heading(SSIM) == "SSIM"

    def test_accuracy_has_the_limits_that_it_always_had(self):
        assert limits_of(ACCURACY, [(0.1, 0.5)]) == (0.0, pytest.approx(54.0))
        assert limits_of(ACCURACY, [(0.1, 0.99)]) == (0.0, 103.0)

    @given(
        low=st.floats(0, 1) | st.floats(-1e6, 1e6),
        width=st.sampled_from([0.0, 1e-9, 0.5, 1e5]),
        metric=st.sampled_from(IMAGE_METRICS),
    )
    @examples(60)
    def test_limits_hold_what_the_metric_may_be(self, low, width, metric):
        least, most = metric.limits
        low = low if least is None else max(low, least)
        high = low + width if most is None else min(low + width, most)
        low = min(low, high)
        bottom, top = limits_of(metric, [(low, high)])
        assert bottom <= low <= high <= top
        assert bottom < top

    def test_shades_go_with_the_direction(self):
        assert shade(ACCURACY, 0.25, [0.25, 0.5]) == 0.25
        assert shade(PSNR, 30.0, [20.0, 25.0, 30.0]) == 1.0
        assert [shade(MSE, value, [100.0, 0.0]) for value in (0.0, 100.0)] == [1.0, 0.0]
        assert shade(PSNR, 20.0, [20.0]) == 1.0

    def test_metrics_of_one_name_have_pictures_of_their_own(self):
        value, interval = mean("other", 1.0)
        other = replace(PSNR, title="PSNR of edges", value=value, interval=interval)
        assert list(picture_names([PSNR, SSIM, other]).values()) == ["psnr", "ssim", "psnr-2"]
        assert list(picture_names([PSNR], "systems").values()) == ["systems"]
        assert list(picture_names([PSNR, SSIM], "systems").values()) == [
            "systems-psnr", "systems-ssim",
        ]  # fmt: skip

    def test_no_metric_takes_the_name_of_another_column(self):
        others = {*PLACE, *EFFORT, TASK}
        assert others == TAKEN
        with pytest.raises(ValueError, match="metric seed: tables have another column"):
            replace(PSNR, name="seed")

    @pytest.mark.parametrize("name", ["", "PSNR", "a/b", "../x", "a b", "x" * 41])
    def test_a_metric_has_a_name_that_files_may_have(self, name):
        with pytest.raises(ValueError, match="its name does not match"):
            replace(PSNR, name=name)

    def test_stated_values_are_shown_where_they_can_be_values(self):
        assert stated_text(ACCURACY, 0.9412) == "94.12 %"
        assert stated_text(PSNR, 31.2) == "31.20 dB"
        for value in (None, True, "0.5", 1.5, -0.1, float("nan"), [0.5]):
            assert stated_text(ACCURACY, value) == ""
        assert stated_text(PSNR, float("inf")) == ""
