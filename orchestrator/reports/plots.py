"""The two figures of a report: accuracy against SNR, and where the time of a frame goes.

Drawn with matplotlib's objects, without its global state, in a light and a dark dress. Equal
results give equal files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.curves import Curve, LatencyBar, channel_title
from orchestrator.reports.theme import LIGHT, Theme, png_bytes, rc_params

PANEL_COLUMNS = 3
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v")
STAGES = ("encode", "channel", "batch wait", "decode", "network and queues")
MIN_LABELLED_SHARE = 0.06  # of the longest bar: narrower segments have no room for a number


@dataclass(frozen=True, kw_only=True)
class _Key:
    """How series and channels are drawn; `shared` if every panel can use one legend."""

    theme: Theme
    channels: list[str]
    colours: dict[tuple[str, str], str]
    shared: bool

    def line(self, channel: str, colour: str) -> dict[str, Any]:
        """Line and marker of a channel; the first one's markers are filled."""
        index = self.channels.index(channel)
        return {
            "color": colour,
            "linestyle": LINES[index % len(LINES)],
            "marker": MARKERS[index % len(MARKERS)],
            "markerfacecolor": colour if index == 0 else self.theme.background,
        }


def accuracy_png(curves: Sequence[Curve], theme: Theme = LIGHT) -> bytes:
    """Accuracy against SNR with 95 % intervals: a panel per data set, a line per channel."""
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    columns = min(PANEL_COLUMNS, len(datasets))
    rows = -(-len(datasets) // columns)
    key = _key(curves, theme)
    with style.context(["default", rc_params(theme)], after_reset=True):
        width = 4.6 if columns == 1 else 3.1 * columns
        figure = Figure(figsize=(width, 2.75 * rows + 0.35), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes, dataset in zip(panels, datasets, strict=False):
            _draw_accuracy(axes, [curve for curve in curves if curve.dataset == dataset], key)
        for axes in panels[::columns]:
            axes.set_ylabel("accuracy (%)")
        for axes in panels[len(datasets) :]:
            axes.remove()
        handles = [*(_series_handles(curves, key) if key.shared else []), *_channel_handles(key)]
        figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)))
        return png_bytes(figure)


def latency_png(bars: Sequence[LatencyBar], theme: Theme = LIGHT) -> bytes:
    """Stacked bars of median milliseconds per frame: encoding, then the round trip."""
    with style.context(["default", rc_params(theme)], after_reset=True):
        figure = Figure(figsize=(7.2, 1.1 + 0.38 * len(bars)), layout="constrained")
        axes = figure.subplots()
        _draw_latency(axes, bars, theme)
        figure.legend(loc="outside upper center", ncols=len(STAGES), handlelength=1.0)
        return png_bytes(figure)


def _key(curves: Sequence[Curve], theme: Theme) -> _Key:
    """A colour per series if all panels show the same, else by rank within each panel."""
    panels: dict[str, list[str]] = {}
    for curve in curves:
        names = panels.setdefault(curve.dataset, [])
        if curve.series not in names:
            names.append(curve.series)
    all_names = list(dict.fromkeys(curve.series for curve in curves))
    shared = len(all_names) == max(len(names) for names in panels.values())
    return _Key(
        theme=theme,
        channels=list(dict.fromkeys(curve.channel for curve in curves)),
        colours={
            (dataset, name): theme.series[index % len(theme.series)]
            for dataset, names in panels.items()
            for index, name in enumerate(all_names if shared else names)
        },
        shared=shared,
    )


def _draw_accuracy(axes: Axes, curves: Sequence[Curve], key: _Key) -> None:
    for curve in curves:
        # The line breaks where a planned point is missing: nothing is known there.
        known = [(point.snr_db, point.accuracy, *point.interval) for point in curve.points] + [
            (snr_db, nan, nan, nan) for snr_db in curve.gaps_db
        ]
        snr_db, accuracy, low, high = np.array(sorted(known)).T
        axes.errorbar(
            snr_db,
            100 * accuracy,
            yerr=(100 * (accuracy - low), 100 * (high - accuracy)),
            **key.line(curve.channel, key.colours[curve.dataset, curve.series]),
        )
    highest = max(100 * point.interval[1] for curve in curves for point in curve.points)
    axes.set_ylim(0, min(103.0, 1.08 * highest))
    axes.set_title(curves[0].dataset)
    axes.set_xlabel("$E_s/N_0$ (dB)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    if not key.shared:
        axes.legend(handles=_series_handles(curves, key), loc="best")


def _series_handles(curves: Sequence[Curve], key: _Key) -> list[Line2D]:
    colours = {curve.series: key.colours[curve.dataset, curve.series] for curve in curves}
    if len(colours) == 1 and key.shared:
        return []
    return [
        Line2D([], [], color=colour, lw=3, label=_plain(name)) for name, colour in colours.items()
    ]


def _channel_handles(key: _Key) -> list[Line2D]:
    return [
        Line2D([], [], label=channel_title(channel), **key.line(channel, key.theme.muted))
        for channel in key.channels
    ]


def _draw_latency(axes: Axes, bars: Sequence[LatencyBar], theme: Theme) -> None:
    stages = [
        [bar.latency.encode_ms for bar in bars],
        [bar.latency.channel_ms for bar in bars],
        [bar.latency.batch_wait_ms for bar in bars],
        [bar.latency.decode_ms for bar in bars],
        [bar.latency.network_ms for bar in bars],
    ]
    rows = range(len(bars))
    totals = [sum(parts) for parts in zip(*stages, strict=True)]
    room = MIN_LABELLED_SHARE * max(totals)
    left = [0.0] * len(bars)
    for stage, colour, widths in zip(STAGES, theme.stages, stages, strict=True):
        drawn = axes.barh(rows, widths, left=left, height=0.62, color=colour, label=stage)
        labels = [_milliseconds(width) if width >= room else "" for width in widths]
        axes.bar_label(drawn, labels, label_type="center", fontsize=7.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, total in zip(rows, totals, strict=True):
        axes.annotate(
            f"{_milliseconds(total)} ms", (total, row), (5, 0),
            textcoords="offset points", va="center", fontsize=8.5, fontweight="bold",
        )  # fmt: skip
    axes.set_yticks(rows, [_plain(bar.name) for bar in bars])
    axes.set_xlim(0, 1.13 * max(totals) or 1.0)
    axes.set_xlabel(f"median time per frame{_frame_size(bars)} (ms)")
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _plain(name: str) -> str:
    """A run's folder may be called anything; this keeps it from being read as a formula."""
    return name.replace("$", r"\$")


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _frame_size(bars: Sequence[LatencyBar]) -> str:
    sizes = {bar.frame_images for bar in bars}
    return f" of {sizes.pop()} images" if len(sizes) == 1 else ""
