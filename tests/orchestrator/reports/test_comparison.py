"""Systems side by side: what is known twice counts once; names, colours, places of labels."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.comparison import system_curves
from orchestrator.reports.comparison_plots import ratio_png, system_colour, systems_png
from orchestrator.reports.direct_labels import spread
from orchestrator.reports.ratios import ratio_curves, ratio_curves_of_results
from orchestrator.reports.report import write_report
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import read_run
from orchestrator.results.summary import format_results_csv
from semcom.tasks.classification import ACCURACY
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fill_ledger, write_manifest
from tests.orchestrator.records import fake_facts, write_footprints, write_search

PNG = b"\x89PNG\r\n\x1a\n"
SYSTEMS = {"cat": "rkd-sc", "js": "jscc-student", "jt": "jscc-teacher"}


def evaluation(folder, codecs, *, facts=(), **plan):
    """An evaluation of codecs {name: system} on shapes10."""
    link = fake_link("shapes10", *(fake_codec(name, system) for name, system in codecs.items()))
    made = fake_plan({"shapes10": link}, **plan)
    write_manifest(fill_ledger(folder, made), made, kind="evaluation", codecs=list(facts))
    return folder


def of_ratios(folder, ratios, **plan):
    names = {f"r{ratio}": "rkd-sc" for ratio in ratios}
    facts = [fake_facts(f"r{ratio}", "shapes10", ratio=ratio) for ratio in ratios]
    return evaluation(folder, names, facts=facts, **plan)


class TestSystemCurves:
    def test_there_is_one_per_system_and_channel_ours_first(self, tmp_path):
        curves = system_curves(
            [read_run(evaluation(tmp_path, dict(reversed(SYSTEMS.items()))))], ACCURACY
        )
        assert [curve.series for curve in curves][::2] == ["RKD-SC", "JSCC-student", "JSCC-teacher"]
        assert [curve.channel for curve in curves] == ["awgn", "rayleigh"] * 3

    def test_seeds_are_pooled_and_their_images_count_as_one_draw_each(self, tmp_path):
        run = read_run(evaluation(tmp_path, {"cat": "rkd-sc"}, seeds=(0, 1, 2)))
        curve = system_curves([run], ACCURACY)[0]
        points = [p for p in run.summary.points if p.channel == "awgn" and p.snr_db == -5]
        assert curve.seeds == 3
        correct = sum(point.score["correct"] for point in points)
        assert curve.points[0].score == {"items": 3 * 250, "correct": correct}
        low, high = curve.intervals[0]
        pooled, single = (
            ACCURACY.interval(score) for score in (curve.points[0].score, points[0].score)
        )
        assert pooled[1] - pooled[0] < high - low <= 1.1 * (single[1] - single[0])

    def test_a_point_known_from_a_run_and_an_evaluation_counts_once(self, tmp_path):
        one = read_run(evaluation(tmp_path / "one", SYSTEMS))
        same = read_run(evaluation(tmp_path / "same", SYSTEMS))
        assert system_curves([one, same], ACCURACY) == system_curves([one], ACCURACY)

    def test_seeds_of_two_evaluations_are_put_together(self, tmp_path):
        runs = [
            read_run(evaluation(tmp_path / str(seed), SYSTEMS, seeds=(seed,))) for seed in (0, 1)
        ]
        assert {curve.points[0].score["items"] for curve in system_curves(runs, ACCURACY)} == {500}

    def test_codecs_of_one_system_are_called_by_ratio_or_by_name(self, tmp_path):
        told = system_curves(
            [read_run(of_ratios(tmp_path / "a", (0.9, 0.2), snr_db=(0.0,)))], ACCURACY
        )
        assert [c.series for c in told][::2] == ["RKD-SC, ratio 0.2", "RKD-SC, ratio 0.9"]
        names = {"thin": "rkd-sc", "wide": "rkd-sc"}
        untold = system_curves(
            [read_run(evaluation(tmp_path / "b", names, snr_db=(0.0,)))], ACCURACY
        )
        assert [curve.series for curve in untold][::2] == ["thin", "wide"]


class TestRatios:
    def test_rise_along_the_line(self, tmp_path):
        run = read_run(of_ratios(tmp_path, (0.9, 0.2, 0.5), snr_db=(-10.0, 0.0)))
        curves = ratio_curves([run], ACCURACY, snr_db=-10.0)
        assert [curve.channel for curve in curves] == ["awgn", "rayleigh"]
        assert [point.ratio for point in curves[0].points] == [0.2, 0.5, 0.9]

    def test_a_runs_csv_and_manifest_draw_the_same_line(self, tmp_path):
        run = read_run(of_ratios(tmp_path, (0.9, 0.2), snr_db=(-10.0, 0.0), seeds=(0, 1)))
        codecs = [CodecFacts.model_validate(each) for each in run.manifest["codecs"]]
        results = format_results_csv(run.summary).decode()
        found = ratio_curves_of_results(results, codecs, ACCURACY, snr_db=-10.0)
        assert found == ratio_curves([run], ACCURACY, snr_db=-10.0)
        assert found[0].points[0].found.score["items"] == 2 * 250
        assert ratio_curves_of_results(results, [], ACCURACY, snr_db=-10.0) == []

    def test_one_ratio_or_another_snr_makes_no_line(self, tmp_path):
        run = read_run(of_ratios(tmp_path / "a", (0.5,), snr_db=(-10.0,)))
        assert ratio_curves([run], ACCURACY, snr_db=-10.0) == []
        run = read_run(of_ratios(tmp_path / "b", (0.5, 0.9), snr_db=(0.0,)))
        assert ratio_curves([run], ACCURACY, snr_db=-10.0) == []

    def test_older_manifests_without_codecs_make_no_line(self, tmp_path):
        run = read_run(evaluation(tmp_path, {"a": "rkd-sc", "b": "rkd-sc"}, snr_db=(-10.0,)))
        assert ratio_curves([run], ACCURACY, snr_db=-10.0) == []


class TestPictures:
    def test_systems_have_their_own_colours(self):
        for theme in (LIGHT, DARK):
            colours = [system_colour(colour, theme) for colour in theme.series]
            shades = [system_colour(theme.series[0], theme, shade) for shade in (-1, 0, 1)]
            assert len({*colours, *shades}) == len(theme.series) + 2

    def test_draws_systems_that_nobody_knows_yet_and_names_that_look_like_formulas(self, tmp_path):
        run = read_run(evaluation(tmp_path, {"cat": "rkd-sc", "t": "_$x^{$"}, snr_db=(0.0,)))
        assert systems_png(system_curves([run], ACCURACY)).startswith(PNG)

    def test_equal_results_give_equal_files(self, tmp_path):
        run = read_run(of_ratios(tmp_path, (0.2, 0.9), snr_db=(-10.0,)))
        first, second = (
            ratio_png(ratio_curves([run], ACCURACY, snr_db=-10), snr_db=-10) for _ in "ab"
        )
        assert first.startswith(PNG)
        assert first == second

    @given(st.lists(st.floats(-1, 2), min_size=1, max_size=12), st.floats(0.01, 0.5))
    def test_labels_keep_apart_and_in_order(self, wanted, room):
        wanted = sorted(wanted)
        places = spread(wanted, room)
        assert all(after - before >= room - 1e-9 for before, after in pairwise(places))
        if all(after - before >= room for before, after in pairwise(wanted)):
            assert places == pytest.approx(wanted)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The page of an evaluation, two searches and footprints."""
    root = tmp_path_factory.mktemp("compared")
    sources = [
        of_ratios(root / "ratios", (0.2, 0.9), snr_db=(-10.0, 0.0)),
        write_search(root / "kdl", epochs=3),
        write_search(root / "plain", method="darts", epochs=3),
        write_footprints(root / "footprints"),
    ]
    page = write_report(root / "out", sources)
    return page, page.read_text(encoding="utf-8")


class TestPage:
    def test_all_figures_lie_beside_it(self, compared):
        page, _ = compared
        assert sorted(path.name for path in page.parent.iterdir()) == [
            "energy.png",
            "ratios.png",
            "report.html",
            "search-alpha-cifar10.png",
            "search-parameters.png",
            "systems.png",
        ]

    def test_has_a_section_for_each_kind(self, compared):
        _, text = compared
        for title in (
            "Systems",
            "Energy and symbols",
            "Compression ratio",
            "Search",
            "Footprint",
            "What was run",
        ):
            assert f"<h2>{title}</h2>" in text
        assert "one process" in text
        assert text.count("<img") == 5

    def test_escapes_what_others_wrote(self, compared):
        _, text = compared
        assert "A &lt;quick&gt; one" in text
        assert "A <quick> one" not in text
