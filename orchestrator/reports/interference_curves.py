"""Curves of runs with interference: a metric against SIR, and against the number of interferers.

Panels of such a figure are named by the common settings of their points instead of a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

from orchestrator.reports.channel_titles import interferers_title
from orchestrator.reports.comparison import SystemCurve, placed_curves
from orchestrator.reports.curves import metrics_of
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric

Axis = Literal["sir", "interferers"]
AXES: tuple[Axis, ...] = ("sir", "interferers")
AXIS_LABELS: dict[Axis, str] = {"sir": "SIR of each interferer (dB)", "interferers": "interferers"}
MOST_SNRS = 3  # panels of a figure with equal other settings, spread over the SNRs
FEWEST = 2  # points of a line


def drawn_metrics(runs: Sequence[StoredRun]) -> list[Metric]:
    """Return the metrics drawn for runs with interference: values, but not error rates."""
    met = [run for run in runs if any(point.interference for point in run.summary.points)]
    return [metric for metric in metrics_of(met) if metric.better == "higher"]


def interference_curves(runs: Sequence[StoredRun], metric: Metric, axis: Axis) -> list[SystemCurve]:
    """Return a curve per system and panel; the axis replaces the SNRs of its points.

    Panels differ in channel, SNR, and either SIR or the number of interferers, whichever is not the
    axis; of many SNRs, a few are shown. Nothing if the axis has fewer than two values.
    """
    snrs_db = _spread(
        {
            point.snr_db
            for run in runs
            for point in run.summary.points
            if point.interference is not None and metric in point.task.METRICS
        }
    )

    def placing(point: PointSummary) -> tuple[str, float] | None:
        return _place(point, axis) if point.snr_db in snrs_db else None

    curves = placed_curves(runs, metric, placing)
    lines = {(curve.dataset, curve.channel) for curve in curves if len(curve.points) >= FEWEST}
    return [curve for curve in curves if (curve.dataset, curve.channel) in lines]


def _place(point: PointSummary, axis: Axis) -> tuple[str, float] | None:
    """Return panel and position of a point with interference."""
    met = point.interference
    if met is None:
        return None
    bare = f"{point.channel.removesuffix(met.label)}{met.kind_label}".strip()
    snr = f"Es/N0 {point.snr_db:g} dB"
    match axis:
        case "sir":
            return f"{bare} {interferers_title(met.interferers)}, {snr}", met.sir_db
        case "interferers":
            return f"{bare} SIR {met.sir_db:g} dB, {snr}", float(met.interferers)
    assert_never(axis)


def _spread(snrs_db: set[float]) -> list[float]:
    """Return the lowest and the highest SNR, and those between them."""
    ordered = sorted(snrs_db)
    last = len(ordered) - 1
    if last < MOST_SNRS:
        return ordered
    return [ordered[round(index * last / (MOST_SNRS - 1))] for index in range(MOST_SNRS)]
