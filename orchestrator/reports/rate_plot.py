"""Plots of a metric against the mean number of symbols per item, by length, confidence or table."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.drawing import BELOW, add_legend, dressed, new_figure, plain, png_bytes
from orchestrator.reports.metric_texts import axis_label, limits_of
from orchestrator.reports.rates import RateCurve, RatePoint, spread
from orchestrator.reports.strokes import stroke
from orchestrator.reports.theme import LIGHT, Theme

PANEL_IN = 3.6, 2.9
MAX_SNRS = 8  # of a panel, spread over those that there are
# Of fixed lengths, of the codec's table and of confidences.
FIXED_FORM, CONFIDENCE_FORM, TABLE_FORM = range(3)
FORMS = {"fixed length": FIXED_FORM, "until confident": CONFIDENCE_FORM, "by SNR": TABLE_FORM}
ROOM = 0.05  # of a panel, below its lowest value


def rate_figure(curves: Sequence[RateCurve], theme: Theme = LIGHT) -> Figure:
    """Draw curves against symbols: a panel per data set, codec and channel, a colour per SNR."""
    places = list(dict.fromkeys(curve.place[:3] for curve in curves))
    snrs_db = spread(sorted({curve.place.snr_db for curve in curves}), MAX_SNRS)
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
            Line2D([], [], **stroke(theme.muted, form).style(theme), label=label)
            for label, form in FORMS.items()
            if form != TABLE_FORM or any(curve.by_snr for curve in curves)
        ]
        add_legend(figure, [*colours, *forms], BELOW)
        return figure


def rate_png(curves: Sequence[RateCurve], theme: Theme = LIGHT) -> bytes:
    """Return `rate_figure` as PNG."""
    with dressed(theme):
        return png_bytes(rate_figure(curves, theme))


def _draw(axes: Axes, curves: Sequence[RateCurve], snrs_db: Sequence[float], theme: Theme) -> None:
    for curve in curves:
        colour = _colour(snrs_db, curve.place.snr_db, theme)
        forms = (FIXED_FORM, curve.fixed), (CONFIDENCE_FORM, curve.adaptive)
        for form, points in (*forms, (TABLE_FORM, curve.by_snr)):
            if points:
                _draw_line(axes, curve, points, stroke(colour, form).style(theme))
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


def _colour(snrs_db: Sequence[float], snr_db: float, theme: Theme) -> str:
    return theme.series[snrs_db.index(snr_db) % len(theme.series)]
