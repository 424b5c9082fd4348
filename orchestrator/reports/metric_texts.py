"""Format a metric: headings, axes, intervals, limits of panels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isfinite

from orchestrator.reports.markup import NOTHING
from semcom.tasks.metric import Interval, Metric
from semcom.tasks.score import Score

BEYOND = 0.03  # margin of a panel beyond the limits of a metric
FLAT = 0.05  # margin above and below if all values are equal


def heading(metric: Metric, of: str = "") -> str:
    """Return the head of a table, such as `PSNR at 5 dB, dB`; `of` follows the name."""
    named = f"{metric.noun} {of}".strip()
    return f"{named}, {metric.unit}" if metric.unit else named


def axis_label(metric: Metric, of: str = "") -> str:
    """Return the label of an axis, which says if lower values are better."""
    notes = [metric.unit] if metric.unit else []
    if metric.better == "lower":
        notes.append("lower is better")
    named = f"{metric.noun} {of}".strip()
    return f"{named} ({', '.join(notes)})" if notes else named


def against_snr(metric: Metric) -> str:
    """Return the title of a table in the terminal."""
    unit = f" in {metric.unit}" if metric.unit else ""
    return f"{metric.noun}{unit} against Es/N0 in dB"


def value_text(metric: Metric, score: Score, *, short: bool = False) -> str:
    """Return a value in printed form."""
    return metric.number(metric.value(score), short=short)


def stated_text(metric: Metric, value: object) -> str:
    """Return a value in a manifest with its unit; empty if it is invalid."""
    least, most = metric.limits
    low, high = -inf if least is None else least, inf if most is None else most
    if not isinstance(value, float) or not isfinite(value) or not low <= value <= high:
        return ""
    return f"{metric.number(value)} {metric.unit}".strip()


def interval_text(metric: Metric, score: Score, *, short: bool = False) -> str:
    """Return the 95 % interval of a value in printed form."""
    return NOTHING.join(metric.number(end, short=short) for end in metric.interval(score))


def picture_names(metrics: Sequence[Metric], of: str = "") -> dict[Metric, str]:
    """Return the name of each metric's picture; `of` is the kind of picture.

    A single picture has the name of its kind. Metrics with equal names are numbered.
    """
    if of and len(metrics) == 1:
        return {metrics[0]: of}
    taken: list[str] = []
    for metric in metrics:
        name = f"{of}-{metric.name}" if of else metric.name
        alike = [m.name for m in metrics[: len(taken)]].count(metric.name)
        taken.append(f"{name}-{alike + 1}" if alike else name)
    return dict(zip(metrics, taken, strict=True))


def limits_of(
    metric: Metric, intervals: Iterable[Interval], *, room: float = 0.08
) -> tuple[float, float]:
    """Return the limits of a panel in the printed unit.

    Args:
        metric: metric, whose own limits are used if it has any.
        intervals: intervals of all values in the panel, at least one.
        room: share of the panel's height that is added if the metric has no limit.
    """
    lows, highs = zip(*intervals, strict=True)
    lowest, highest = metric.scale * min(lows), metric.scale * max(highs)
    least, most = (None if end is None else metric.scale * end for end in metric.limits)
    if lowest == highest and (least is None or highest == least):
        apart = FLAT * abs(highest) or 1.0
        lowest, highest = lowest - apart, highest + apart
    bottom = lowest - room * (highest - lowest) if least is None else least
    top = highest + room * (highest - bottom)
    if most is not None:
        top = min(top, most + BEYOND * (most - bottom))
    return bottom, top


def shade(metric: Metric, value: float, values: Iterable[float]) -> float:
    """Return the quality of a value among others: 0 for the worst, 1 for the best possible."""
    known = list(values)
    low, high = (
        end(known) if limit is None else limit
        for end, limit in zip((min, max), metric.limits, strict=True)
    )
    share = (value - low) / (high - low) if high > low else 1.0
    return min(1.0, max(0.0, share if metric.better == "higher" else 1.0 - share))
