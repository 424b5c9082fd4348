"""Fig. 6 and Fig. 8: a colour per system, 95 % intervals as bands, names at the lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import SystemCurve
from orchestrator.reports.curves import CurvePoint
from orchestrator.reports.direct_labels import LINE_HEIGHT, EndLabel, label_line_ends
from orchestrator.reports.drawing import (
    dressed,
    lines_of,
    new_figure,
    plain,
    png_bytes,
    widest_in,
)
from orchestrator.reports.label_bounds import LabelBound
from orchestrator.reports.metric_texts import axis_label, limits_of
from orchestrator.reports.ratios import RatioCurve
from orchestrator.reports.strokes import Stroke, series_stroke, stroke
from orchestrator.reports.system_titles import known_systems
from orchestrator.reports.theme import LIGHT, Theme
from semcom.tasks.metric import Metric

PLOT_WIDTH_IN = 3.3  # width of a panel without its longest name
PANEL_HEIGHT_IN = 2.7
TITLES_IN = 0.7  # height of titles and axis labels
ES_N0 = "$E_s/N_0$ (dB)"
LABEL_SIZE = 8.5
MAX_COLUMNS, MAX_CHANNELS = 3, 12  # of a figure
LABEL_LETTERS, TITLE_LETTERS = 48, 46
BAND_ALPHA = 0.16
RATIO_ROOM = 0.12  # above the highest value, as a share of the panel
PALEST, DARKEST = 0.4, 0.6  # largest share of background or text colour in a shade


class _Drawn(NamedTuple):
    """A drawn value and the ends of its interval."""

    value: float
    low: float
    high: float


def systems_figure(
    curves: Sequence[SystemCurve],
    theme: Theme = LIGHT,
    *,
    bounds: Sequence[LabelBound] = (),
    x_label: str = ES_N0,
) -> Figure:
    """Draw a metric against SNR: a row per data set, a column per channel, a line per codec.

    Many channels of a data set take several rows (`drawn_channels`). `bounds` are drawn dotted,
    each in the colour of its codec; `x_label` names the axis of the curves.
    """
    strokes = _system_strokes(curves, theme)
    channels = drawn_channels(curves)
    curves = [curve for curve in curves if curve.channel in channels]
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    rows = [(dataset, part) for dataset in datasets for part in _in_rows(channels)]
    with dressed(theme):
        most = max(len(_shown(curves, d, c)) for d in datasets for c in channels)
        names = [plain(curve.series, LABEL_LETTERS) for curve in curves]
        figure, panels, height_in = _panels(len(rows), len(rows[0][1]), names, most)
        for row, (dataset, part) in zip(panels, rows, strict=True):
            # The same for all channels of a data set.
            known = [each for c in curves if c.dataset == dataset for each in c.intervals]
            for axes, channel in zip(row, part, strict=True):
                shown = _shown(curves, dataset, channel)
                if not shown:
                    axes.remove()
                    continue
                axes.set_ylim(limits_of(shown[0].metric, known))
                lines = [strokes[curve.system, curve.rank] for curve in shown]
                for bound in bounds:
                    if (bound.dataset, bound.channel) == (dataset, channel):
                        line = strokes[bound.system, bound.rank]
                        axes.plot(*bound.drawn, color=line.colour, linestyle=":", linewidth=1.3)
                _draw_systems(axes, shown, lines, height_in=height_in)
                axes.set_xlabel(x_label)
                axes.set_title(plain(f"{dataset}, {channel_title(channel)}", TITLE_LETTERS))
        return figure


def drawn_channels(curves: Sequence[SystemCurve]) -> list[str]:
    """Return the channels that a figure shows: lines, not single points, and `MAX_CHANNELS`."""
    found = {curve.channel: 0 for curve in curves}
    for curve in curves:
        found[curve.channel] = max(found[curve.channel], len(curve.points))
    lines = [channel for channel, points in found.items() if points > 1] or list(found)
    last = len(lines) - 1
    if last < MAX_CHANNELS:
        return lines
    return [lines[round(index * last / (MAX_CHANNELS - 1))] for index in range(MAX_CHANNELS)]


def ratio_figure(curves: Sequence[RatioCurve], *, snr_db: float, theme: Theme = LIGHT) -> Figure:
    """Draw a metric at one SNR against compression ratio: a panel per data set."""
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    columns = min(2, len(datasets))
    channels = list(dict.fromkeys(curve.channel for curve in curves))
    systems = _systems(curve.system for curve in curves)
    with dressed(theme):
        most = max(len([c for c in curves if c.dataset == dataset]) for dataset in datasets)
        names = [plain(_ratio_name(curve), LABEL_LETTERS) for curve in curves]
        figure, panels, height_in = _panels(-(-len(datasets) // columns), columns, names, most)
        for axes, dataset in zip(panels.flat, datasets, strict=False):
            shown = [curve for curve in curves if curve.dataset == dataset]
            lines = [_ratio_stroke(curve, systems, channels, theme) for curve in shown]
            _draw_ratios(axes, shown, lines, height_in=height_in)
            axes.set_title(plain(dataset, TITLE_LETTERS))
            axes.set_ylabel(axis_label(shown[0].metric, f"at {_minus(snr_db)} dB"))
        for axes in panels.flat[len(datasets) :]:
            axes.remove()
        return figure


def systems_png(
    curves: Sequence[SystemCurve],
    theme: Theme = LIGHT,
    *,
    bounds: Sequence[LabelBound] = (),
    x_label: str = ES_N0,
) -> bytes:
    """`systems_figure` as PNG."""
    with dressed(theme):
        return png_bytes(systems_figure(curves, theme, bounds=bounds, x_label=x_label))


def ratio_png(curves: Sequence[RatioCurve], *, snr_db: float, theme: Theme = LIGHT) -> bytes:
    """`ratio_figure` as PNG."""
    with dressed(theme):
        return png_bytes(ratio_figure(curves, snr_db=snr_db, theme=theme))


def system_colour(colour: str, theme: Theme, shade: float = 0.0) -> str:
    """Return a shade of a system's colour: -1 is towards the background, 1 towards the text."""
    rest = abs(shade) * (PALEST if shade < 0 else DARKEST)
    share = 1.0 - rest
    (r0, g0, b0) = to_rgb(colour)
    (r1, g1, b1) = to_rgb(theme.background if shade < 0 else theme.ink)
    return to_hex((share * r0 + rest * r1, share * g0 + rest * g1, share * b0 + rest * b1))


def _systems(named: Iterable[str]) -> list[str]:
    """Return systems in the order of their colours: those of a family have one everywhere."""
    shown = list(dict.fromkeys(named))
    known = [n for family in known_systems() if family.keys() & set(shown) for n in family]
    reserved = list(dict.fromkeys([*known, *shown]))
    if len(reserved) <= len(LIGHT.series):
        return reserved
    return [name for name in reserved if name in shown]  # else two would share a colour


def _system_strokes(curves: Sequence[SystemCurve], theme: Theme) -> dict[tuple[str, int], Stroke]:
    """Return how the codecs of systems are drawn, by system and rank.

    A system has a colour and a marker, and its codecs have shades of it; further codecs have their
    own colours and line styles.
    """
    systems = _systems(curve.system for curve in curves)
    shades = {(curve.system, curve.rank): curve.shade for curve in curves}
    if len(shades) > len(theme.series):
        return {key: series_stroke(index, theme) for index, key in enumerate(shades)}
    strokes: dict[tuple[str, int], Stroke] = {}
    for (system, rank), shade in shades.items():
        index = systems.index(system)
        colour = theme.series[index % len(theme.series)]
        # Every fourth style is a solid line, for the first codec of each system.
        form = 4 * (index + index // len(theme.series)) + 5 * rank
        strokes[system, rank] = stroke(system_colour(colour, theme, shade), form)
    return strokes


def _ratio_stroke(
    curve: RatioCurve, systems: Sequence[str], channels: Sequence[str], theme: Theme
) -> Stroke:
    index = systems.index(curve.system)
    turns = index // len(theme.series)
    form = channels.index(curve.channel) + turns * len(channels)
    return stroke(theme.series[index % len(theme.series)], form)


def _in_rows(channels: Sequence[str]) -> list[list[str]]:
    """Return channels in rows of `MAX_COLUMNS`, padded with empty ones."""
    if len(channels) <= MAX_COLUMNS:
        return [list(channels)]
    filled = [*channels, *[""] * (-len(channels) % MAX_COLUMNS)]
    return [filled[at : at + MAX_COLUMNS] for at in range(0, len(filled), MAX_COLUMNS)]


def _shown(curves: Sequence[SystemCurve], dataset: str, channel: str) -> list[SystemCurve]:
    return [curve for curve in curves if (curve.dataset, curve.channel) == (dataset, channel)]


def _panels(
    rows: int, columns: int, names: Sequence[str], most: int
) -> tuple[Figure, np.ndarray, float]:
    """Return panels with room for the names at the ends of their lines, and the height of each."""
    line_in = LINE_HEIGHT * LABEL_SIZE / 72 * max(map(lines_of, names))
    height_in = max(PANEL_HEIGHT_IN, TITLES_IN + most * line_in)
    figure = new_figure(PLOT_WIDTH_IN * columns, height_in * rows)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    width_in = PLOT_WIDTH_IN + widest_in(figure, names, LABEL_SIZE)
    figure.set_figwidth(width_in * columns)
    return figure, figure.subplots(rows, columns, squeeze=False), height_in - TITLES_IN


def _draw_systems(
    axes: Axes, curves: Sequence[SystemCurve], lines: Sequence[Stroke], *, height_in: float
) -> None:
    pairs = list(zip(curves, lines, strict=True))
    for curve, line in reversed(pairs):  # the first one lies on top
        snrs_db = [point.snr_db for point in curve.points]
        _draw_line(axes, snrs_db, _drawn(curve.metric, curve.points), line, of=len(lines))
    axes.set_ylabel(axis_label(curves[0].metric))
    # Numbers of interferers are integers.
    whole = all(float(point.snr_db).is_integer() for curve in curves for point in curve.points)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=whole))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    labels = [
        _end(curve.points[-1].snr_db, _drawn(curve.metric, curve.points)[-1], curve.series, line)
        for curve, line in pairs
    ]
    label_line_ends(axes, labels, height_in=height_in)


def _draw_ratios(
    axes: Axes, curves: Sequence[RatioCurve], lines: Sequence[Stroke], *, height_in: float
) -> None:
    labels: list[EndLabel] = []
    for curve, line in zip(curves, lines, strict=True):
        ratios = [point.ratio for point in curve.points]
        found = [point.found for point in curve.points]
        drawn = _drawn(curve.metric, found)
        _draw_line(axes, ratios, drawn, line, of=len(lines))
        labels.append(_end(ratios[-1], drawn[-1], _ratio_name(curve), line))
    metric = curves[0].metric
    known = [point.found.interval(metric) for curve in curves for point in curve.points]
    axes.set_ylim(limits_of(metric, known, room=RATIO_ROOM))
    axes.set_xlabel("compression ratio $1 - c/D$")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    label_line_ends(axes, labels, height_in=height_in)


def _ratio_name(curve: RatioCurve) -> str:
    return f"{curve.title}, {channel_title(curve.channel)}"


def _drawn(metric: Metric, points: Sequence[CurvePoint]) -> list[_Drawn]:
    """Return the positions of points and their intervals in units of the axis."""
    return [
        _Drawn(*(metric.scale * at for at in (metric.value(p.score), *p.interval(metric))))
        for p in points
    ]


def _draw_line(
    axes: Axes, x: Sequence[float], drawn: Sequence[_Drawn], line: Stroke, *, of: int
) -> None:
    """Draw values with their intervals, which are paler if there are many lines."""
    axes.fill_between(
        x,
        [at.low for at in drawn],
        [at.high for at in drawn],
        color=line.colour,
        alpha=BAND_ALPHA / max(1.0, of / 4),
        linewidth=0,
    )
    axes.plot(
        x,
        [at.value for at in drawn],
        color=line.colour,
        linestyle=line.dashes,
        linewidth=1.4,
        marker=line.marker,
        markersize=4.2,
        markeredgecolor=axes.get_facecolor(),
        markeredgewidth=0.6,
    )


def _end(x: float, last: _Drawn, text: str, line: Stroke) -> EndLabel:
    return EndLabel(x, last.value, plain(text, LABEL_LETTERS), line.colour)


def _minus(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
