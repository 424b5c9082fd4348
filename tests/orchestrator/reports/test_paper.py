"""Figures for papers: a file each, equal for equal results, with tables of what they show."""

from __future__ import annotations

import csv
import io
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.plan.plan import PlannedPoint
from orchestrator.reports.curves import latency_bars
from orchestrator.reports.paper import CURVES, LATENCIES, SEARCHES, write_figures
from orchestrator.reports.paper_curves import PaperFigure, paper_figures
from orchestrator.reports.paper_latency import latency_csv, latency_drawings
from orchestrator.reports.paper_plot import draw_paper_figure
from orchestrator.reports.paper_search import draw_alphas
from orchestrator.reports.paper_style import CYCLE, read_style, style_names
from orchestrator.reports.paper_tables import curves_csv, escaped, latex_table
from orchestrator.reports.ratios import RATIO_SNR_DB
from orchestrator.reports.report_sources import parse_labels, read_sources
from orchestrator.reports.search_history import SearchGroup
from orchestrator.results.run_folder import read_run
from semcom.errors import ConfigurationError, StorageError
from semcom.interference import Interference
from semcom.points import ChannelSettings, PointSpec
from semcom.records import SearchRecord
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fill_ledger
from tests.orchestrator.records import fake_search, write_search

SYSTEMS = {"cat": "rkd-sc", "student": "jscc-student", "teacher": "jscc-teacher"}


def a_run(folder: Path, dataset: str = "cifar10", seeds: tuple[int, ...] = (0, 1)) -> Path:
    codecs = [fake_codec(name, system) for name, system in SYSTEMS.items()]
    plan = fake_plan({"a": fake_link(dataset, *codecs)}, run=folder.name, seeds=seeds)
    return fill_ledger(folder, plan)


def figures_of(*folders: Path, **labels: str) -> list[PaperFigure]:
    return paper_figures(read_sources(folders, labels).runs, ratio_snr_db=RATIO_SNR_DB)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("paper")
    return [a_run(place / "one"), a_run(place / "two", "cifar100", seeds=(5,))]


def test_each_figure_is_a_file_in_each_format_with_its_table(runs, tmp_path):
    written = write_figures(tmp_path, runs, formats=["pdf", "svg", "png"], style="ieee")
    stems = ("accuracy-cifar10", "accuracy-cifar100", "latency")
    expected = {f"{stem}.{end}" for stem in stems for end in ("pdf", "svg", "png", "tex")}
    assert {path.name for path in written} == expected | {CURVES, LATENCIES}
    assert {path.name for path in tmp_path.iterdir()} == expected | {CURVES, LATENCIES}
    assert (tmp_path / "accuracy-cifar10.pdf").read_bytes().startswith(b"%PDF")
    svg = (tmp_path / "accuracy-cifar10.svg").read_text()
    assert "RKD-SC, AWGN" in svg, "letters stay letters"
    assert "<dc:date>" not in svg


def test_equal_results_give_equal_files(runs, tmp_path):
    for name in ("a", "b"):
        write_figures(tmp_path / name, runs[:1], formats=["pdf", "svg", "png"], style="ieee-wide")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_seeds_count_together_in_figures_tables_and_csv(runs):
    (figure,) = figures_of(runs[0])
    run = read_run(runs[0])
    for line in figure.lines:
        assert line.seeds == 2
        for snr_db, score in line.points:
            points = [
                p for p in run.summary.points
                if (p.codec, p.channel, p.snr_db) == (line.codec, line.channel, snr_db)
            ]  # fmt: skip
            assert {p.seed for p in points} == {0, 1}
            assert score["correct"] == sum(p.score["correct"] for p in points)


def test_csv_has_every_run_and_exact_values(runs):
    figures = figures_of(*runs)
    rows = list(csv.DictReader(io.StringIO(curves_csv(figures))))
    assert {row["dataset"] for row in rows} == {"cifar10", "cifar100"}
    assert {row["seeds"] for row in rows if row["dataset"] == "cifar100"} == {"1"}
    found = iter(rows)
    for figure in figures:
        for line in figure.lines:
            for at, score in line.points:
                row = next(found)
                assert float(row["at"]) == at
                assert float(row["value"]) == figure.metric.value(score)
                assert int(row["items"]) == score["items"]
    assert next(found, None) is None


def test_latex_table_has_a_row_per_place_and_a_column_per_line(runs):
    (figure,) = figures_of(runs[0], cat="Ours & 50%_off")
    lines = latex_table(figure).splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert len(body) == 3
    assert all(line.count(" & ") == len(figure.lines) and line.endswith(r" \\") for line in body)
    assert body[0].startswith("$-5$ & ")
    assert r"Ours \& 50\%\_off, AWGN" in lines[3]
    score = figure.lines[0].points[0][1]
    assert figure.metric.number(figure.metric.value(score)) in body[0]
    assert escaped("\\") == r"\textbackslash{}"


def test_systems_and_codecs_are_called_as_the_user_says(runs, tmp_path):
    (figure,) = figures_of(runs[0], **{"rkd-sc": "Proposed", "teacher": "Large JSCC"})
    assert {line.series for line in figure.lines} == {"Proposed", "JSCC-student", "Large JSCC"}
    result = CliRunner().invoke(
        app, ["report", str(runs[0]), "--markdown", "--label", "student=Small"]
    )
    assert result.exit_code == 0
    with pytest.raises(ConfigurationError, match="or channel of these runs; available: rk"):
        figures_of(runs[0], mine="x")
    assert parse_labels(["a=b=c"]) == {"a": "b=c"}
    for wrong in ("a", "=b", "a="):
        with pytest.raises(ConfigurationError, match="expected NAME=TEXT"):
            parse_labels([wrong])


def test_many_lines_are_a_figure_for_each_channel(tmp_path):
    codecs = [fake_codec(f"own-{index}", "mine") for index in range(6)]
    folder = fill_ledger(tmp_path, fake_plan({"a": fake_link("cifar10", *codecs)}))
    figures = figures_of(folder)
    assert [each.name for each in figures] == ["accuracy-cifar10-awgn", "accuracy-cifar10-rayleigh"]
    drawn = draw_paper_figure(figures[0], read_style("ieee"))
    lines = [c.lines[0] for c in drawn.axes[0].containers]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 6


def test_sirs_are_a_figure_of_their_own(tmp_path):
    plan = fake_plan({"a": fake_link("cifar10")})
    points = [
        PlannedPoint(
            variant=0,
            spec=PointSpec(
                channel=ChannelSettings(model="rayleigh"), snr_db=snr_db, seed=0,
                interference=Interference(interferers=many, sir_db=sir_db),
            ),
        )
        for many in (1, 2)
        for sir_db in (0.0, 5.0, 10.0)
        for snr_db in (0.0, 10.0)
    ]  # fmt: skip
    figures = figures_of(fill_ledger(tmp_path, plan.model_copy(update={"points": points})))
    against = {each.name: each for each in figures if each.axis == "sir_db"}
    assert sorted(against) == ["accuracy-cifar10-sir-at-0-db", "accuracy-cifar10-sir-at-10-db"]
    lines = against["accuracy-cifar10-sir-at-0-db"].lines
    assert [line.channel for line in lines] == ["Rayleigh, 1 interferer", "Rayleigh, 2 interferers"]
    assert [[at for at, _ in line.points] for line in lines] == [[0.0, 5.0, 10.0]] * 2


def test_latency_has_a_bar_per_link_and_codec_and_a_table_of_the_same_numbers(runs):
    timed = [read_run(folder) for folder in runs]
    (drawing,) = latency_drawings(timed)
    bars = latency_bars(timed)
    (axes,) = drawing.draw(read_style("ieee")).axes
    ends = [sum(bar[row].get_width() for bar in axes.containers) for row in range(len(bars))]
    rows = list(csv.DictReader(io.StringIO(latency_csv(timed) or "")))
    for end, row, bar in zip(ends, rows, bars, strict=True):
        assert row["link"] == bar.name
        stages = [float(value) for name, value in row.items() if name.endswith("_ms")]
        assert end == pytest.approx(sum(stages))
    assert drawing.table.count(" \\\\\n") == len(bars) + 1


def test_searches_are_figures_with_the_alphas_and_parameters_that_were_found(tmp_path):
    for seed in (0, 1):
        write_search(tmp_path / f"{seed}", seed=seed, epochs=3)
    write_search(tmp_path / "darts", method="darts", epochs=3)
    sources = [tmp_path / name for name in ("0", "1", "darts")]
    written = write_figures(tmp_path / "out", sources, formats=["svg"], style="ieee")
    names = {path.stem for path in written if path.suffix == ".svg"}
    dataset = read_sources(sources).searches[0].dataset
    kinds = ("parameters", "kdl-darts-alpha", "darts-alpha")
    assert names == {f"search-{dataset}-{kind}" for kind in kinds}
    rows = list(csv.DictReader((tmp_path / "out" / SEARCHES).read_text().splitlines()))
    found = [r for r in rows if (r["search"], r["quantity"]) == ("KDL-DARTS", "parameters")]
    records = read_sources(sources[:2]).searches
    for row, *epochs in zip(found, *(record.epochs for record in records), strict=True):
        several = [epoch.parameters for epoch in epochs]
        assert float(row["mean"]) == np.mean(several)
        assert (float(row["low"]), float(row["high"])) == (min(several), max(several))
        assert row["seeds"] == "2"
    assert not (tmp_path / "out" / CURVES).exists(), "there is no curve"


@pytest.mark.parametrize("style", ["ieee", "ieee-wide"])
def test_alphas_are_as_wide_as_the_column(style):
    group = SearchGroup("shapes10", "darts", [SearchRecord.model_validate(fake_search(epochs=2))])
    settings = read_style(style)
    figure = draw_alphas(group, settings)
    assert figure.get_size_inches()[0] == settings["figure.figsize"][0]
    assert [axes.get_title() for axes in figure.axes] == [f"Stage {n}" for n in range(1, 5)]


def test_own_style_sheet_is_taken(runs, tmp_path):
    own = tmp_path / "own.mplstyle"
    own.write_text('figure.figsize: 2, 1.5\naxes.prop_cycle: cycler("color", ["123456"])\n')
    (figure,) = figures_of(runs[0])
    drawn = draw_paper_figure(figure, read_style(str(own)))
    assert tuple(drawn.get_size_inches()) == (2, 1.5)
    assert {c.lines[0].get_color() for c in drawn.axes[0].containers} == {"#123456"}


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "no such file; shipped are ieee, ieee-wide"), ("colour: 3\n", "colour")],
)
def test_style_that_is_none_is_one_line(content, text, tmp_path):
    path = tmp_path / "x.mplstyle"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=text) as caught:
        read_style(str(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--format", "bmp"], "--format bmp: expected pdf, svg, png"),
        (["--style", "ieee"], "--style applies to figures for a paper: set --format, such as pdf"),
    ],
)
def test_options_that_do_not_fit_are_one_line(words, text, runs):
    assert str(CliRunner().invoke(app, ["report", str(runs[0]), *words]).exception) == text


def test_folder_that_cannot_be_written_is_one_line(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another folder with --out"):
        write_figures(tmp_path / "file", runs, formats=["png"])


# Machado, Oliveira and Fernandes 2009, linear RGB: protanopia, deuteranopia, tritanopia.
BLIND = (
    (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
    (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
    (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
)
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.089]])


def lab(linear: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(np.clip(TO_XYZ @ linear, 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", style_names())
def test_colours_differ_for_colour_blind_readers(name: str) -> None:
    assert re.fullmatch("[a-z-]+", name)
    rgb = [np.array(to_rgb(each["color"])) for each in read_style(name)[CYCLE]]
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in rgb]
    for matrix in (np.eye(3), *(np.reshape(each, (3, 3)) for each in BLIND)):
        seen = [lab(np.clip(matrix @ each, 0, 1)) for each in linear]
        nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
        assert nearest > 10, "a difference that is seen at a glance"
