"""The first figures of a report: a metric against SNR, in light and dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import Curve
from orchestrator.reports.drawing import (
    ABOVE,
    BELOW,
    add_legend,
    dressed,
    lines_of,
    new_figure,
    plain,
    png_bytes,
)
from orchestrator.reports.metric_texts import axis_label, limits_of
from orchestrator.reports.strokes import Stroke, series_stroke, stroke
from orchestrator.reports.theme import LIGHT, Theme

MAX_LINES = 12  # largest number of lines of a panel; beyond it, each channel has its own panels
PANEL_IN = 3.1, 2.75
LONE_IN, CROWDED_IN = (4.6, 2.75), (4.7, 3.5)
TITLE_LETTERS_PER_IN = 9.4  # of a line above a panel
TITLE_LINE_IN = 0.16
CROWD_ALPHA = 0.45  # of error bars among many lines


class _Panel:
    """The curves of a data set, over one channel or over all."""

    def __init__(self, dataset: str, channel: str | None, curves: Sequence[Curve]) -> None:
        self.curves = [
            curve
            for curve in curves
            if curve.dataset == dataset and channel in (None, curve.channel)
        ]
        self.title = dataset if channel is None else f"{dataset}, {channel_title(channel)}"


@dataclass(frozen=True, kw_only=True)
class _Key:
    """Distinguish lines: series by colour and channels by form, as far as possible.

    `apart`: each channel has its own panels, so that series may use colour and line style.
    """

    theme: Theme
    series: list[str]
    channels: list[str]
    apart: bool

    def line(self, curve: Curve) -> Stroke:
        """Return how a curve is drawn."""
        return self.of(self.series.index(curve.series), self.channels.index(curve.channel))

    def of(self, series: int, channel: int) -> Stroke:
        """Return how a series is drawn over a channel, both by number."""
        if self.apart:
            return series_stroke(series, self.theme)
        colours = self.theme.series
        # With a single series, channels use the colours.
        colour = series if len(self.series) > 1 else channel
        return stroke(colours[colour % len(colours)], channel)

    def handles(self) -> tuple[list[Line2D], list[Line2D]]:
        """Entries of the legends of channels and of series."""
        names = [plain(name) for name in self.series]
        if self.apart:
            lines = [self.of(index, 0).style(self.theme) for index in range(len(names))]
            return [], [_entry(name, line) for name, line in zip(names, lines, strict=True)]
        alone = len(names) == 1
        channels = [
            _entry(
                plain(channel_title(channel)),
                self.of(0, index).style(self.theme)
                if alone
                else stroke(self.theme.muted, index).style(self.theme),
            )
            for index, channel in enumerate(self.channels)
        ]
        if alone:
            return channels, []
        swatches = [{"color": self.of(index, 0).colour, "lw": 3} for index in range(len(names))]
        return channels, [_entry(name, line) for name, line in zip(names, swatches, strict=True)]


def metric_figure(curves: Sequence[Curve], theme: Theme = LIGHT) -> Figure:
    """Draw curves of one metric against SNR with 95 % intervals, a panel per data set.

    Lines are channels and series; if there are many, each channel has its own panel.
    """
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    series = list(dict.fromkeys(curve.series for curve in curves))
    channels = list(dict.fromkeys(curve.channel for curve in curves))
    many = len(series) > len(theme.series)
    apart = many or (len(series) > 1 and _most_lines(curves) > MAX_LINES)
    key = _Key(theme=theme, series=series, channels=channels, apart=apart)
    with dressed(theme):
        panels = [
            _Panel(dataset, channel, curves)
            for dataset in datasets
            for channel in (channels if apart else [None])
        ]
        panels = [panel for panel in panels if panel.curves]
        figure = _with_panels(panels, key)
        for handles, place in zip(key.handles(), (ABOVE, BELOW), strict=True):
            if handles:
                add_legend(figure, handles, place)
        return figure


def metric_png(curves: Sequence[Curve], theme: Theme = LIGHT) -> bytes:
    """`metric_figure` as PNG."""
    with dressed(theme):
        return png_bytes(metric_figure(curves, theme))


def _most_lines(curves: Sequence[Curve]) -> int:
    """Return how many lines the fullest panel would have with all channels in it."""
    datasets = [curve.dataset for curve in curves]
    return max(map(datasets.count, set(datasets)))


def _with_panels(panels: Sequence[_Panel], key: _Key) -> Figure:
    crowded = max(len(panel.curves) for panel in panels) > len(key.theme.series) and key.apart
    columns = min(2 if crowded else 3, len(panels))
    if key.apart and len(key.channels) <= columns:  # a row per data set
        columns = len(key.channels)
    rows = -(-len(panels) // columns)
    width_in, height_in = CROWDED_IN if crowded else LONE_IN if columns == 1 else PANEL_IN
    titles = [plain(panel.title, int(TITLE_LETTERS_PER_IN * width_in)) for panel in panels]
    height_in += TITLE_LINE_IN * (max(map(lines_of, titles)) - 1)
    figure = new_figure(width_in * columns, height_in * rows + 0.1)
    places = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel, title in zip(places, panels, titles, strict=False):
        _draw(axes, panel, key)
        axes.set_title(title)
    for axes in places[::columns]:
        axes.set_ylabel(axis_label(panels[0].curves[0].metric))
    for axes in places[len(panels) :]:
        axes.remove()
    return figure


def _draw(axes: Axes, panel: _Panel, key: _Key) -> None:
    many = len(panel.curves) > MAX_LINES
    metric = panel.curves[0].metric
    for curve in panel.curves:
        # The line has a gap where a planned point is missing.
        known = [
            (point.snr_db, metric.value(point.score), *point.interval(metric))
            for point in curve.points
        ] + [(snr_db, nan, nan, nan) for snr_db in curve.gaps_db]
        snr_db, value, low, high = np.array(sorted(known)).T
        _, caps, bars = axes.errorbar(
            snr_db,
            metric.scale * value,
            yerr=(metric.scale * (value - low), metric.scale * (high - value)),
            **key.line(curve).style(key.theme),
        )
        for part in (*caps, *bars):
            part.set_alpha(CROWD_ALPHA if many else 1.0)
    axes.set_ylim(limits_of(metric, (each for curve in panel.curves for each in curve.intervals)))
    axes.set_xlabel("$E_s/N_0$ (dB)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def _entry(label: str, line: dict[str, Any]) -> Line2D:
    return Line2D([], [], label=label, **line)
