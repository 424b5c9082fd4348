"""Every figure keeps its texts inside of the picture, and tells its lines apart."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.comparison import SystemCurve
from orchestrator.reports.comparison_plots import ratio_figure, systems_figure
from orchestrator.reports.curves import (
    Curve,
    CurvePoint,
    LatencyBar,
    latency_bars,
    metric_curves,
)
from orchestrator.reports.drawing import MAX_PIXELS, new_figure, plain, png_bytes
from orchestrator.reports.latency_plot import MAX_BARS, latency_figure
from orchestrator.reports.metric_plot import metric_figure
from orchestrator.reports.ratios import RatioCurve, RatioPoint
from orchestrator.reports.strokes import FORMS, series_stroke, stroke
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import read_run
from orchestrator.results.summary import LinkLatency
from semcom.tasks.classification import ACCURACY
from tests.orchestrator.ledgers import fake_link, fake_plan, fill_ledger
from tests.properties import examples

CHANNELS = (
    "awgn", "rayleigh", "rician k=4 mismatch=0.05 mmse", "rician k=1", "rayleigh mmse",
    "rayleigh coherence=10", "rayleigh mismatch=0.1", "rician k=16 coherence=1000 csi=none",
)  # fmt: skip
OF = {"task": "classification", "metric": ACCURACY}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
fuzz = settings(
    examples(5),
    phases=[Phase.explicit, Phase.generate],  # a picture takes long, shrinking draws hundreds
    suppress_health_check=list(HealthCheck),
)


def right(snr_db, images, correct):
    return CurvePoint(snr_db=snr_db, score={"items": images, "correct": correct})


def points(lift=0.0):
    return [
        right(snr_db, 200, min(200, round(60 + 6 * snr_db + lift))) for snr_db in (-10.0, 0.0, 10.0)
    ]


def curve(dataset, series, channel, lift=0.0):
    return Curve(
        **OF,
        dataset=dataset,
        series=series,
        channel=channel,
        seeds=1,
        points=points(lift),
        gaps_db=[],
    )


def curves(links, channels, datasets=1):
    return [
        curve(f"set-{link % datasets}", f"sensor-node-{link:02d} · rkd-sc", channel, link)
        for link in range(links)
        for channel in CHANNELS[:channels]
    ]


def systems(codecs, channels, system="rkd-sc"):
    return [
        SystemCurve(
            **OF, dataset="cifar10", series=f"RKD-SC, codec {index}", channel=channel, seeds=3,
            points=points(index), gaps_db=[], system=system.format(index), digest="0",
            shade=2 * index / (codecs - 1) - 1 if codecs > 1 else 0.0, rank=index,
        )
        for index in range(codecs)
        for channel in CHANNELS[:channels]
    ]  # fmt: skip


def ratios(systems, channels):
    return [
        RatioCurve(
            metric=ACCURACY, dataset="cifar10", system=f"system-{number}", channel=channel,
            points=[
                RatioPoint(ratio=ratio, bandwidth_ratio=None, codec="c", found=points(number)[1])
                for ratio in (0.2, 0.9)
            ],
        )
        for number in range(systems)
        for channel in CHANNELS[:channels]
    ]  # fmt: skip


def bars(names):
    latency = LinkLatency(
        link="a", codec="c", frames=9, encode_ms=20.0, channel_ms=0.6, batch_wait_ms=1.5,
        decode_ms=8.0, round_trip_p50_ms=30.0, round_trip_p99_ms=90.0, retransmissions=0,
    )  # fmt: skip
    return [LatencyBar(name=name, latency=latency, frame_images=100) for name in names]


def laid_out(figure):
    """Lay a figure out as it is saved; the renderer that texts are measured with."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    return renderer


def check_inside(figure):
    """Every text that is drawn, and every legend, lies inside of the picture."""
    renderer = laid_out(figure)
    frame, drawn = figure.bbox, figure.get_tightbbox(renderer)  # in pixels, and in inches
    for box in (
        drawn.transformed(figure.dpi_scale_trans),
        *(legend.get_window_extent(renderer) for legend in figure.legends),
    ):
        assert min(box.x0, box.y0) >= -1, (box, frame)
        assert box.x1 <= frame.x1 + 1, (box, frame)
        assert box.y1 <= frame.y1 + 1, (box, frame)
    return renderer


def look(line):
    return to_hex(line.get_color()), line.get_linestyle(), str(line.get_marker())


def check_told_apart(figure):
    """No two entries of the legends, and no two lines of a panel, look alike."""
    entries = [look(handle) for legend in figure.legends for handle in legend.legend_handles]
    assert len(set(entries)) == len(entries)
    for axes in figure.axes:
        lines = [
            look(line)
            for line in axes.lines
            if len(line.get_xdata()) > 1 and str(line.get_marker()) in "osD^vPXp"
        ]  # not the caps of error bars
        assert lines
        assert len(set(lines)) == len(lines)
    return entries


class TestStrokes:
    def test_forms_and_series_differ(self):
        forms = [stroke("#000000", form) for form in range(FORMS)]
        assert len({(form.dashes, form.marker) for form in forms}) == FORMS == 32
        for theme in (LIGHT, DARK):
            series = [series_stroke(index, theme) for index in range(256)]
            assert len({(s.colour, s.dashes, s.marker) for s in series}) == 256

    def test_neighbours_differ_in_dashes_and_marker(self):
        for one, other in pairwise(stroke("#000000", form) for form in range(FORMS)):
            assert one.dashes != other.dashes
            assert one.marker != other.marker


class TestMetric:
    @pytest.mark.parametrize(
        ("links", "channels"),
        [(1, 1), (1, 3), (1, 8), (2, 2), (4, 2), (4, 4), (8, 1), (9, 1), (17, 1), (30, 2)],
    )  # fmt: skip
    def test_legend_is_inside_and_entries_differ(self, links, channels):
        figure = metric_figure(curves(links, channels), DARK if links == 4 else LIGHT)
        check_inside(figure)
        entries = check_told_apart(figure)
        apart = links > 8 or (links > 1 and links * channels > 12)
        assert len(entries) == (links if apart else channels + links * (links > 1))

    def test_thirty_links_over_eight_channels(self):
        figure = metric_figure(curves(30, 8))
        check_inside(figure)
        assert len(check_told_apart(figure)) == 30
        assert len(figure.axes) == 8

    def test_several_data_sets(self):
        figure = metric_figure(curves(9, 3, datasets=3))
        check_inside(figure)
        check_told_apart(figure)
        assert len(figure.axes) == 9

    def test_a_panel_keeps_its_size_whatever_the_legend_holds(self):
        few, many = metric_figure(curves(9, 1)), metric_figure(curves(30, 1))
        for figure in (few, many):
            laid_out(figure)
        heights = [figure.axes[0].get_window_extent().height for figure in (few, many)]
        assert heights[0] == pytest.approx(heights[1], rel=0.03)

    @fuzz
    @given(names=st.lists(NAMES, min_size=1, max_size=6, unique=True), dataset=NAMES)
    def test_runs_may_be_called_anything(self, names, dataset):
        figure = metric_figure([curve(dataset, name, "awgn") for name in names])
        check_inside(figure)
        assert png_bytes(figure).startswith(b"\x89PNG")

    @pytest.mark.parametrize("correct", [0, 13])
    def test_all_right_and_none_right_are_drawn(self, correct):
        for images in range(13, 13 + 4):
            found = images if correct else 0
            point = right(0.0, images, found)
            shown = Curve(
                **OF,
                dataset="d",
                series="s",
                channel="awgn",
                seeds=1,
                points=[point],
                gaps_db=[1.0],
            )
            metric_figure([shown])


CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "scenarios"


@pytest.mark.skipif(not CASES.exists(), reason="the inputs that failed are not there: shared/cases")
@pytest.mark.parametrize("name", ["four-links", "three-channels", "thirty-links"])
def test_scenarios_whose_legends_were_cut_off(name, tmp_path):
    scenario = read_scenario(CASES / f"{name}.yaml")
    links = {
        link: fake_link(spec.dataset, images=scenario.images)
        for link, spec in scenario.links.items()
    }
    plan = fake_plan(links, channels=scenario.channels, snr_db=(-10.0, 10.0), frame_images=1000)
    run = read_run(fill_ledger(tmp_path, plan))
    check_inside(latency_figure(latency_bars([run])))
    figure = metric_figure(metric_curves([run], ACCURACY))
    check_inside(figure)
    check_told_apart(figure)
    shown = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert all(any(link in text for text in shown) for link in links) or len(links) == 1


class TestComparison:
    @pytest.mark.parametrize(("codecs", "channels"), [(1, 1), (3, 2), (30, 1), (4, 8)])
    def test_codecs_of_one_system(self, codecs, channels):
        figure = systems_figure(systems(codecs, channels))
        renderer = check_inside(figure)
        check_told_apart(figure)
        check_labels_apart(figure, renderer)

    @pytest.mark.parametrize("number", [9, 30])
    def test_systems_that_nobody_knows(self, number):
        figure = systems_figure(systems(number, 1, system="system-{}"))
        check_inside(figure)
        check_told_apart(figure)

    @pytest.mark.parametrize(("number", "channels"), [(1, 1), (3, 8), (10, 2)])
    def test_ratios(self, number, channels):
        figure = ratio_figure(ratios(number, channels), snr_db=-10.0)
        renderer = check_inside(figure)
        check_told_apart(figure)
        check_labels_apart(figure, renderer)


def check_labels_apart(figure, renderer):
    """Names at the ends of lines do not lie over each other."""
    for axes in figure.axes:
        boxes = sorted(
            (Text.get_window_extent(text, renderer) for text in axes.texts), key=lambda b: b.y0
        )
        for below, above in pairwise(boxes):
            assert above.y0 >= below.y1 - 0.35 * below.height, (below, above)


class TestLatency:
    @pytest.mark.parametrize("links", [1, 4, 30])
    def test_is_inside(self, links):
        check_inside(latency_figure(bars(f"sensor-node-{link}" for link in range(links))))

    def test_long_names_take_several_lines(self):
        figure = latency_figure(bars([f"{'run-' * 40} · {'link' * 15}", "$x^{$"]))
        check_inside(figure)

    def test_of_very_many_links_the_slowest_are_drawn(self):
        figure = latency_figure(bars(f"link-{link}" for link in range(300)))
        assert len(figure.axes[0].get_yticklabels()) == MAX_BARS
        assert f"the {MAX_BARS} slowest of 300" in figure.axes[0].get_xlabel()


def test_names_are_drawn_as_they_are():
    assert plain("a_$x$") == r"a_\$x\$"
    assert plain("_a") == "\N{ZERO WIDTH SPACE}_a"
    assert plain("中\n\x1b[31m") == r"\u4e2d\n\x1b[31m"
    assert max(map(len, plain("x" * 200).split("\n"))) <= 60


def test_no_picture_is_too_large_to_be_drawn():
    content = png_bytes(new_figure(2.0, 500.0))
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert height <= MAX_PIXELS
    assert width > 100


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "Qt4Agg"])
def test_the_users_backend_is_ignored(backend):
    code = "import orchestrator.reports.metric_plot, matplotlib; print(matplotlib.get_backend())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip().lower()) == (0, "agg"), done.stderr
