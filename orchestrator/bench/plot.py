"""One picture of all targets: how far each is met."""

from __future__ import annotations

import statistics
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from orchestrator.bench.figures import Figures, Target
from orchestrator.reports.theme import LIGHT, png_bytes, rc_params
from semcom.files import write_atomically

PLOT = "performance.png"


def write_plot(found: list[Figures], folder: Path) -> Path:
    """Draw every target's runs as multiples of what was asked; right of 1 it is met."""
    targets = [(figures, target) for figures in found for target in figures.targets]
    with style.context(["default", rc_params(LIGHT)], after_reset=True):
        figure = Figure(figsize=(8.4, 0.9 + 0.34 * len(targets)), layout="constrained")
        axes = figure.subplots()
        for row, (figures, target) in enumerate(targets):
            reached = [_reached(target, value) for value in figures.values(target.column)]
            middle = statistics.median(reached)
            colour = LIGHT.series[0] if middle >= 1 else LIGHT.series[1]
            axes.plot([min(reached), max(reached)], [row, row], color=colour, linewidth=2)
            axes.plot([middle], [row], "o", color=colour, markersize=7)
        axes.axvline(1.0, color=LIGHT.ink, linewidth=1)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yticks(range(len(targets)), [target.claim for _, target in targets])
        axes.set_ylim(len(targets) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("measured over asked (median, min, max)")
        content = png_bytes(figure)
    path = folder / PLOT
    write_atomically(path, content)
    return path


def _reached(target: Target, value: float) -> float:
    return value / target.bound if target.at_least else target.bound / value
