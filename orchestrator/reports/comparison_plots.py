"""Fig. 6 and Fig. 8: systems told apart by colour, 95 % intervals as bands, names at the lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.comparison import SYSTEMS, TITLES, SystemCurve
from orchestrator.reports.curves import CurvePoint, channel_title
from orchestrator.reports.direct_labels import EndLabel, label_line_ends
from orchestrator.reports.ratios import RatioCurve
from orchestrator.reports.theme import LIGHT, Theme, png_bytes, rc_params

PLOT_WIDTH_IN, LETTER_WIDTH_IN = 3.15, 0.07  # a panel is as wide as its longest name asks for
PANEL_HEIGHT_IN = 2.7
AXES_HEIGHT_IN = 2.0  # what titles and axis labels leave of a panel
BAND_ALPHA = 0.16
PALEST, DARKEST = 0.4, 0.6  # how much of the paper or the ink a shade holds at most
MARKERS = ("o", "s", "^", "D", "v")
LINES = ("-", "--", ":", "-.")


def systems_png(curves: Sequence[SystemCurve], theme: Theme = LIGHT) -> bytes:
    """Accuracy against SNR: a row per data set, a column per channel, a line per codec."""
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    channels = list(dict.fromkeys(curve.channel for curve in curves))
    with style.context(["default", rc_params(theme)], after_reset=True):
        figure, panels = _panels(len(datasets), len(channels), (c.series for c in curves))
        for row, dataset in zip(panels, datasets, strict=True):
            of_row = [curve for curve in curves if curve.dataset == dataset]
            for axes, channel in zip(row, channels, strict=True):
                shown = [curve for curve in of_row if curve.channel == channel]
                if shown:
                    _draw_systems(axes, shown, theme, top=_top(of_row))
                    axes.set_title(f"{dataset}, {channel_title(channel)}")
                else:
                    axes.remove()
        return png_bytes(figure)


def ratio_png(curves: Sequence[RatioCurve], *, snr_db: float, theme: Theme = LIGHT) -> bytes:
    """Accuracy at one SNR against compression ratio: a panel per data set."""
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    channels = list(dict.fromkeys(curve.channel for curve in curves))
    columns = min(2, len(datasets))
    with style.context(["default", rc_params(theme)], after_reset=True):
        figure, panels = _panels(-(-len(datasets) // columns), columns, map(_ratio_name, curves))
        for axes, dataset in zip(panels.flat, datasets, strict=False):
            shown = [curve for curve in curves if curve.dataset == dataset]
            _draw_ratios(axes, shown, theme, channels=channels)
            axes.set_title(dataset)
            axes.set_ylabel(f"accuracy at {_minus(snr_db)} dB (%)")
        for axes in panels.flat[len(datasets) :]:
            axes.remove()
        return png_bytes(figure)


def system_colour(system: str, theme: Theme, shade: float = 0.0) -> str:
    """One colour per system in every figure; -1 lies towards the paper, 1 to the ink."""
    index = SYSTEMS.index(system) if system in SYSTEMS else len(SYSTEMS)
    rest = abs(shade) * (PALEST if shade < 0 else DARKEST)
    share = 1.0 - rest
    (r0, g0, b0) = to_rgb(theme.series[index])
    (r1, g1, b1) = to_rgb(theme.background if shade < 0 else theme.ink)
    return to_hex((share * r0 + rest * r1, share * g0 + rest * g1, share * b0 + rest * b1))


def _panels(rows: int, columns: int, names: Iterable[str]) -> tuple[Figure, np.ndarray]:
    width = PLOT_WIDTH_IN + LETTER_WIDTH_IN * max(map(len, names))
    size = width * columns, PANEL_HEIGHT_IN * rows
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _draw_systems(axes: Axes, curves: Sequence[SystemCurve], theme: Theme, *, top: float) -> None:
    for curve in reversed(curves):  # the first one lies on top
        snr_db = [point.snr_db for point in curve.points]
        colour = system_colour(curve.system, theme, curve.shade)
        _draw_line(axes, snr_db, curve.points, colour=colour, marker=MARKERS[_marker(curve)])
    axes.set_ylim(0, top)
    axes.set_xlabel("$E_s/N_0$ (dB)")
    axes.set_ylabel("accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    labels = [
        _end(curve.points[-1], curve.points[-1].snr_db, curve.series,
             system_colour(curve.system, theme, curve.shade))
        for curve in curves
    ]  # fmt: skip
    label_line_ends(axes, labels, height_in=AXES_HEIGHT_IN)


def _draw_ratios(
    axes: Axes, curves: Sequence[RatioCurve], theme: Theme, *, channels: Sequence[str]
) -> None:
    labels: list[EndLabel] = []
    for curve in curves:
        index, colour = channels.index(curve.channel), system_colour(curve.system, theme)
        ratios = [point.ratio for point in curve.points]
        found = [point.found for point in curve.points]
        line, marker = LINES[index % len(LINES)], MARKERS[index % len(MARKERS)]
        _draw_line(axes, ratios, found, colour=colour, marker=marker, line=line)
        labels.append(_end(found[-1], ratios[-1], _ratio_name(curve), colour))
    highest = max(point.found.interval[1] for curve in curves for point in curve.points)
    axes.set_ylim(0, min(103.0, 112 * highest))
    axes.set_xlabel("compression ratio $1 - c/D$")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    label_line_ends(axes, labels, height_in=AXES_HEIGHT_IN)


def _ratio_name(curve: RatioCurve) -> str:
    return f"{TITLES.get(curve.system, curve.system)}, {channel_title(curve.channel)}"


def _draw_line(
    axes: Axes,
    x: Sequence[float],
    points: Sequence[CurvePoint],
    *,
    colour: str,
    marker: str,
    line: str = "-",
) -> None:
    """Accuracy in percent over its interval."""
    low, high = (np.array([100 * point.interval[end] for point in points]) for end in (0, 1))
    axes.fill_between(x, low, high, color=colour, alpha=BAND_ALPHA, linewidth=0)
    accuracy = [100 * point.accuracy for point in points]
    axes.plot(
        x,
        accuracy,
        color=colour,
        linestyle=line,
        linewidth=1.4,
        marker=marker,
        markersize=4.2,
        markeredgecolor=axes.get_facecolor(),
        markeredgewidth=0.6,
    )


def _end(point: CurvePoint, x: float, text: str, colour: str) -> EndLabel:
    return EndLabel(x, 100 * point.accuracy, text.replace("$", r"\$"), colour)


def _top(curves: Sequence[SystemCurve]) -> float:
    """The same for all channels of a data set."""
    highest = max(point.interval[1] for curve in curves for point in curve.points)
    return min(103.0, 108 * highest)


def _marker(curve: SystemCurve) -> int:
    index = SYSTEMS.index(curve.system) if curve.system in SYSTEMS else len(SYSTEMS)
    return index % len(MARKERS)


def _minus(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
