"""The part of a page on interference: figures against SIR and number of interferers, and tables."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.reports.comparison import SystemCurve
from orchestrator.reports.interference_curves import (
    AXES,
    AXIS_LABELS,
    drawn_metrics,
    interference_curves,
)
from orchestrator.reports.interference_tables import interference_tables
from orchestrator.reports.markup import Picture, figure
from orchestrator.reports.metric_texts import picture_names
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun


def interference_section(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Return parts and pictures; nothing if no run has interference."""
    from orchestrator.reports.comparison_plots import systems_png

    tables = interference_tables(runs)
    if not tables:
        return [], {}
    parts, pictures = ["<h2>Interference</h2>"], dict[str, Picture]()
    for axis in AXES:
        found = {metric: interference_curves(runs, metric, axis) for metric in drawn_metrics(runs)}
        known = [metric for metric, curves in found.items() if curves]
        for metric, name in picture_names(known, axis).items():
            light, dark = (
                systems_png(found[metric], theme, x_label=AXIS_LABELS[axis])
                for theme in (LIGHT, DARK)
            )
            pictures[name] = light, dark
            parts.append(figure("systems", pictures[name], _caption(found[metric], axis)))
    return [*parts, *(table.html() for table in tables)], pictures


def _caption(curves: Sequence[SystemCurve], axis: str) -> str:
    against = "the SIR of each interferer" if axis == "sir" else "the number of interferers"
    seeds = max(curve.seeds for curve in curves)
    pooled = "; links" + f" and {seeds} channel seeds" * (seeds > 1)
    return (
        f"{curves[0].metric.title} against {against}, by channel and Es/N0; "
        f"{curves[0].metric.better} is better. Bands: 95 % intervals{pooled} of a codec are "
        "pooled; each item is one draw."
    )
