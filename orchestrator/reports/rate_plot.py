"""A metric against the mean symbols of an item: lines of fixed lengths, marks of confidences."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from orchestrator.reports.curves import channel_title
from orchestrator.reports.drawing import BELOW, add_legend, dressed, new_figure, plain, png_bytes
from orchestrator.reports.metric_texts import axis_label, limits_of
from orchestrator.reports.rates import RateCurve, RatePoint
from orchestrator.reports.strokes import Stroke, stroke
from orchestrator.reports.theme import LIGHT, Theme

PANEL_IN = 3.6, 2.9
MAX_SNRS = 8  # of a panel, spread over those that there are
CONFIDENCE_FORM = 1  # dashed, hollow
ROOM = 0.05  # of a panel, below its lowest value


def rate_figure(curves: Sequence[RateCurve], theme: Theme = LIGHT) -> Figure:
    """Curves against symbols, a panel per data set, codec and channel, a colour per SNR."""
    places = list(dict.fromkeys(curve.place[:3] for curve in curves))
    snrs_db = _spread(sorted({curve.place.snr_db for curve in curves}))
    with dressed(theme):
        figure = new_figure(PANEL_IN[0] * len(places), PANEL_IN[1])
        panels = figure.subplots(1, len(places), squeeze=False)[0]
        for axes, place in zip(panels, places, strict=True):
            shown = [
                curve
                for curve in curves
                if curve.place[:3] == place and curve.place.snr_db in snrs_db
            ]
            _draw(axes, shown, snrs_db, theme)
            dataset, codec, channel = place
            name = codec if codec == dataset else f"{dataset}, {codec}"
            axes.set_title(plain(f"{name}, {channel_title(channel)}", 34))
        colours = [
            Line2D([], [], color=_colour(snrs_db, snr_db, theme), lw=3, label=f"{snr_db:g} dB")
            for snr_db in snrs_db
        ]
        forms = [
            Line2D([], [], **_stroke(theme.muted, adaptive).style(theme), label=label)
            for adaptive, label in ((False, "fixed length"), (True, "until confident"))
        ]
        add_legend(figure, [*colours, *forms], BELOW)
        return figure


def rate_png(curves: Sequence[RateCurve], theme: Theme = LIGHT) -> bytes:
    """`rate_figure` as PNG."""
    with dressed(theme):
        return png_bytes(rate_figure(curves, theme))


def _draw(axes: Axes, curves: Sequence[RateCurve], snrs_db: Sequence[float], theme: Theme) -> None:
    for curve in curves:
        colour = _colour(snrs_db, curve.place.snr_db, theme)
        for points, adaptive in ((curve.fixed, False), (curve.adaptive, True)):
            if points:
                _draw_line(axes, curve, points, _stroke(colour, adaptive).style(theme))
    metric = curves[0].metric
    known = [metric.interval(point.score) for curve in curves for point in curve.points]
    lowest = metric.scale * min(low for low, _ in known)
    _, top = limits_of(metric, known)
    axes.set_ylim(lowest - ROOM * (top - lowest), top)
    axes.set_xscale("log", base=2)
    lengths = sorted({round(point.symbols) for curve in curves for point in curve.fixed})
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set_xlabel("mean complex symbols of an item")
    axes.set_ylabel(axis_label(metric))


def _draw_line(
    axes: Axes, curve: RateCurve, points: Sequence[RatePoint], style: dict[str, object]
) -> None:
    metric = curve.metric
    values = [metric.scale * metric.value(point.score) for point in points]
    intervals = [metric.interval(point.score) for point in points]
    errors = [
        [value - metric.scale * low for value, (low, _) in zip(values, intervals, strict=True)],
        [metric.scale * high - value for value, (_, high) in zip(values, intervals, strict=True)],
    ]
    axes.errorbar([point.symbols for point in points], values, yerr=errors, capsize=2, **style)  # type: ignore[arg-type]


def _stroke(colour: str, adaptive: bool) -> Stroke:
    return stroke(colour, CONFIDENCE_FORM if adaptive else 0)


def _colour(snrs_db: Sequence[float], snr_db: float, theme: Theme) -> str:
    return theme.series[snrs_db.index(snr_db) % len(theme.series)]


def _spread(snrs_db: Sequence[float]) -> list[float]:
    """Return some of the SNRs, evenly spread, the lowest and the highest among them."""
    if len(snrs_db) <= MAX_SNRS:
        return list(snrs_db)
    last = len(snrs_db) - 1
    return [snrs_db[round(index * last / (MAX_SNRS - 1))] for index in range(MAX_SNRS)]
