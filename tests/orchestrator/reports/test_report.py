from __future__ import annotations

import re

import pytest
from rich.console import Console

from orchestrator.reports.console_tables import run_tables
from orchestrator.reports.curves import latency_bars, metric_curves, metrics_of
from orchestrator.reports.latency_plot import latency_png
from orchestrator.reports.markdown import markdown_tables
from orchestrator.reports.metric_plot import metric_png
from orchestrator.reports.report import write_report
from orchestrator.results.run_folder import read_run
from semcom.errors import ConfigurationError, StorageError
from tests.orchestrator.ledgers import (
    fake_codec,
    fake_link,
    fake_plan,
    fill_ledger,
    write_manifest,
)

PNG = b"\x89PNG\r\n\x1a\n"


def printed(summary, width=100):
    console = Console(width=width or 1000, color_system=None)
    with console.capture() as capture:
        for table in run_tables(summary, width=width):
            console.print(table)
    return capture.get()


def filled(folder, **plan):
    return read_run(fill_ledger(folder, fake_plan(**plan)))


def accuracies(runs):
    (metric,) = metrics_of(runs)
    return metric_curves(runs, metric)


def unstarted(folder):
    """A run without a single complete point."""
    plan = fake_plan(snr_db=(0.0,))
    skip = {(link, point, 0) for link in plan.links for point in plan.points_of(link)}
    return fill_ledger(folder, plan, skip=skip)


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Two runs of one plan, the second not complete, and their report."""
    root = tmp_path_factory.mktemp("runs")
    plan = fake_plan()
    whole = fill_ledger(root / "whole", plan)
    partial = fill_ledger(root / "partial", plan, skip={("shapes10", 1, 0)})
    write_manifest(whole, plan, machine="<b>&co", versions={"torch": "2.10.0"}, scenario={"a": 1})
    page = write_report(root / "out", [whole, partial])
    return page, page.read_text(encoding="utf-8")


class TestConsoleTable:
    def test_shows_percent_by_link_channel_and_snr(self, tmp_path):
        changes = {("shapes10", 3, frame): {"correct": 10} for frame in range(3)}
        folder = fill_ledger(tmp_path, fake_plan(), changes=changes)
        text = printed(read_run(folder).summary)
        assert re.search(r"link +channel +-5 +2.5 +10", text)
        assert re.search(r"shapes10 +AWGN", text)
        assert re.search(r"Rayleigh +12\.0 ", text)

    def test_fits_fifteen_snrs_and_long_names_into_100_columns(self, tmp_path):
        snr_db = [-10 + 2.5 * step for step in range(15)]
        links = {name: fake_link(name, images=100) for name in ("cifar10", "tiny-imagenet")}
        text = printed(filled(tmp_path, links=links, snr_db=snr_db).summary)
        lines = [line for line in text.splitlines() if re.search("AWGN|Rayleigh", line)]
        assert len(lines) == 4
        assert all(len(re.findall(r"\d+\.\d", line)) == 15 for line in lines)
        assert re.search(r"tiny-imagenet +AWGN", text)

    def test_seeds_are_counted_together_as_in_every_table(self, tmp_path):
        run = filled(tmp_path, seeds=(3, 4), snr_db=(0.0,))
        text, markdown = printed(run.summary), markdown_tables(run.summary)
        assert len(re.findall(r"AWGN", text)) == 2
        assert "2 channel seeds pooled" in text
        points = [p for p in run.summary.points if p.link == "shapes10" and p.channel == "awgn"]
        share = 100 * sum(p.score["correct"] for p in points) / sum(p.images for p in points)
        assert re.search(rf"shapes10 +AWGN +{share:.1f} ", text)
        assert f"| {share:.2f} " in markdown
        assert markdown.splitlines()[0].count("shapes10, awgn") == 1

    def test_names_the_codec_where_a_link_has_several(self, tmp_path):
        codecs = fake_codec("thin"), fake_codec("wide")
        links = {"a": fake_link("shapes10", *codecs)}
        text = printed(filled(tmp_path, links=links).summary)
        assert "thin" in text
        assert "wide" in text

    def test_shows_an_ellipsis_where_frames_are_missing(self, tmp_path):
        folder = fill_ledger(tmp_path, fake_plan(), skip={("shapes10", 0, 0)})
        text = printed(read_run(folder).summary)
        assert re.search(r"shapes10 +AWGN +… ", text)
        assert "… not complete" in text

    def test_says_so_when_not_every_snr_is_shown(self, tmp_path):
        links = {"a": fake_link("shapes10", images=10)}
        snr_db = [float(value) for value in range(31)]
        text = printed(filled(tmp_path, links=links, snr_db=snr_db).summary)
        assert "one of 3 SNRs shown, all are in results.csv" in text
        assert all(len(line) <= 100 for line in text.splitlines())

    def test_shows_every_snr_where_there_is_no_terminal(self, tmp_path):
        links = {"a": fake_link("shapes10", images=10)}
        snr_db = [float(value) for value in range(31)]
        text = printed(filled(tmp_path, links=links, snr_db=snr_db).summary, width=None)
        assert "SNRs shown" not in text
        assert re.search(" +".join(f"{value:g}" for value in snr_db), text)


class TestCurves:
    def test_seeds_are_counted_together(self, tmp_path):
        run = filled(tmp_path, seeds=(0, 1, 2))
        curve = accuracies([run])[0]
        points = [p for p in run.summary.points if p.link == "shapes10" and p.channel == "awgn"]
        assert curve.seeds == 3
        assert [point.score["items"] for point in curve.points] == [750, 750, 750]
        pooled = sum(p.score["correct"] for p in points if p.snr_db == -5)
        assert curve.points[0].score["correct"] == pooled

    def test_a_series_is_called_by_its_system_alone_where_that_suffices(self, tmp_path):
        curves = accuracies([filled(tmp_path)])
        assert {curve.series for curve in curves} == {"RKD-SC"}

    def test_codecs_of_one_system_are_told_apart(self, tmp_path):
        links = {"a": fake_link("shapes10", fake_codec("thin"), fake_codec("wide"))}
        curves = accuracies([filled(tmp_path, links=links)])
        assert {curve.series for curve in curves} == {"thin", "wide"}

    def test_links_with_one_codec_are_told_apart(self, tmp_path):
        links = {name: fake_link("shapes10") for name in ("a", "b")}
        curves = accuracies([filled(tmp_path, links=links)])
        assert {curve.series for curve in curves} == {"a · RKD-SC", "b · RKD-SC"}

    def test_an_incomplete_point_is_a_gap(self, tmp_path):
        folder = fill_ledger(tmp_path, fake_plan(), skip={("shapes10", 1, 0)})
        curve = accuracies([read_run(folder)])[0]
        assert [point.snr_db for point in curve.points] == [-5, 10]
        assert curve.gaps_db == [2.5]


class TestFigures:
    def test_equal_results_give_equal_files(self, tmp_path):
        first, second = (filled(tmp_path / name / "run", snr_db=(0.0, 5.0)) for name in "ab")
        for draw, data in ((metric_png, accuracies), (latency_png, latency_bars)):
            content = draw(data([first]))
            assert content.startswith(PNG)
            assert content == draw(data([second]))

    def test_draws_more_series_than_there_are_colours(self, tmp_path):
        codecs = [fake_codec(f"codec-{number}") for number in range(10)]
        links = {
            "a": fake_link("shapes10", *codecs, images=10),
            "b": fake_link("shapes100", images=10),
        }
        run = filled(tmp_path, links=links, snr_db=(0.0,))
        assert metric_png(accuracies([run])).startswith(PNG)


class TestReport:
    def test_leaves_the_page_and_its_plots(self, reported):
        page, _ = reported
        assert sorted(path.name for path in page.parent.iterdir()) == [
            "accuracy.png",
            "latency.png",
            "report.html",
        ]
        assert (page.parent / "accuracy.png").read_bytes().startswith(PNG)

    def test_page_loads_nothing_from_elsewhere(self, reported):
        _, text = reported
        sources = re.findall(r'(?:src|srcset|href)="([^"]{0,30})', text)
        assert len(sources) == 4
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        assert not re.search(r"<script|<link|@import|url\(", text)

    def test_page_is_made_for_light_and_dark(self, reported):
        _, text = reported
        assert text.count('<source media="(prefers-color-scheme: dark)"') == 2
        assert "color-scheme: light dark" in text

    def test_shows_several_runs_side_by_side(self, reported):
        _, text = reported
        assert "whole · RKD-SC" in text
        assert "partial · RKD-SC" in text
        assert "whole · shapes10" in text

    def test_warns_of_an_incomplete_run(self, reported):
        _, text = reported
        assert "Run partial is not finished: 1 points lack 1 frames" in text
        assert "11 of 12" in text

    def test_tells_digests_codecs_and_versions(self, reported):
        _, text = reported
        plan = fake_plan()
        assert plan.digest in text
        assert plan.links["shapes10"].codecs[0].digest in text
        assert plan.links["shapes10"].dataset_digest in text
        assert "torch 2.10.0" in text

    def test_escapes_what_others_wrote(self, reported):
        _, text = reported
        assert "&lt;b&gt;&amp;co" in text
        assert "<b>&co" not in text

    def test_runs_called_alike_are_numbered(self, tmp_path):
        runs = [unstarted(tmp_path / where / "demo") for where in ("a", "b")]
        text = write_report(tmp_path, runs).read_text(encoding="utf-8")
        assert "demo (1)" in text
        assert "demo (2)" in text

    def test_runs_may_be_called_anything(self, tmp_path):
        plan = fake_plan({"shapes10": fake_link("shapes10")}, snr_db=(0.0,))
        runs = [fill_ledger(tmp_path / name, plan) for name in ("_$x^{$", "<i>")]
        text = write_report(tmp_path, runs).read_text(encoding="utf-8")
        assert "_$x^{$ · RKD-SC" in text
        assert "&lt;i&gt; · RKD-SC" in text

    def test_a_run_without_any_complete_point_has_a_page_without_plots(self, tmp_path):
        folder = unstarted(tmp_path)
        text = write_report(folder, [folder]).read_text(encoding="utf-8")
        assert "0 of 4" in text
        assert "<img" not in text
        assert not (folder / "accuracy.png").exists()

    def test_asks_for_at_least_one_run(self, tmp_path):
        with pytest.raises(ConfigurationError, match="at least one run"):
            write_report(tmp_path, [])

    def test_a_folder_that_cannot_be_made_is_a_storage_error(self, tmp_path):
        run = unstarted(tmp_path / "run")
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError, match="cannot write"):
            write_report(tmp_path / "file", [run])
