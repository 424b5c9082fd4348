"""One figure of all targets and how far each is met."""

from __future__ import annotations

import statistics
from pathlib import Path

from orchestrator.bench.figures import Figures, Target
from orchestrator.reports.drawing import dressed, new_figure, plain, png_bytes, widest_in
from orchestrator.reports.theme import LIGHT
from semcom.errors import StorageError
from semcom.files import write_atomically

PLOT = "performance.png"
PANEL_IN = 5.2
CLAIM_SIZE = 8.5
LEAST = 1e-9


def write_plot(found: list[Figures], folder: Path) -> Path:
    """Draw every target's runs as multiples of the required value; above 1 it is met.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    targets = [(figures, target) for figures in found for target in figures.targets]
    claims = [plain(target.claim) for _, target in targets]
    with dressed(LIGHT):
        figure = new_figure(PANEL_IN, 0.9 + 0.34 * len(targets))
        figure.set_figwidth(PANEL_IN + widest_in(figure, claims, CLAIM_SIZE))
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
        axes.set_yticks(range(len(targets)), claims)
        axes.set_ylim(len(targets) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("measured over required (median, min, max)")
        content = png_bytes(figure)
    path = folder / PLOT
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path


def _reached(target: Target, value: float) -> float:
    """Return a value as a multiple of the required one; positive, for a logarithmic axis."""
    over, under = (value, target.bound) if target.at_least else (target.bound, value)
    return max(over, LEAST) / max(under, LEAST)
