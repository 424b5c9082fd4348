"""For papers: Fig. 7, the depths selected over the epochs, and their alphas, with tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.paper_curves import slug
from orchestrator.reports.paper_plot import PaperDrawing
from orchestrator.reports.paper_style import styled_figures
from orchestrator.reports.search_history import (
    METHODS,
    SearchGroup,
    Spread,
    group_searches,
    search_table,
)
from orchestrator.reports.search_plots import BAND_ALPHA, alpha_of
from orchestrator.reports.strokes import DASHES
from orchestrator.reports.tables import ReportTable
from semcom.architecture import MAX_DEPTH, STAGE_PLANES
from semcom.records import SearchEpoch, SearchRecord

STAGES = len(STAGE_PLANES)
COLUMNS = ("dataset", "search", "seeds", "quantity", "epoch", "mean", "low", "high")
WIDE_IN = 5.0  # from this width on, the stages are in one row
ROW_IN = 1.5


def search_drawings(records: Sequence[SearchRecord]) -> list[PaperDrawing]:
    """Return a figure of parameters for each data set, and one of alphas for each search.

    Raises:
        ConfigurationError: a seed of a search occurs twice.
    """
    groups = group_searches(records)
    drawings: list[PaperDrawing] = []
    for dataset in dict.fromkeys(group.dataset for group in groups):
        shown = [group for group in groups if group.dataset == dataset]
        table = search_table(shown).latex()
        name = slug("search", dataset, "parameters")
        drawings.append(PaperDrawing(name, partial(draw_parameters, shown), table))
    for group in groups:
        name = slug("search", group.dataset, group.method, "alpha")
        drawings.append(PaperDrawing(name, partial(draw_alphas, group), alpha_table(group).latex()))
    return drawings


def draw_parameters(groups: Sequence[SearchGroup], settings: dict[str, Any]) -> Figure:
    """Return the selected parameters over the epochs, a line per method."""
    with styled_figures(settings) as colours:
        figure = Figure(figsize=mpl.rcParams["figure.figsize"], layout="constrained")
        axes = figure.subplots()
        for number, group in enumerate(groups):
            _draw(axes, group.spread(_million), METHODS[group.method], number, colours)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Selected parameters (million)")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if len(groups) > 1:
            axes.legend(loc="best")
        return figure


def draw_alphas(group: SearchGroup, settings: dict[str, Any]) -> Figure:
    """Return the alphas of a search, a panel per stage, a line per depth."""
    with styled_figures(settings) as colours:
        width_in, _ = mpl.rcParams["figure.figsize"]
        columns = STAGES if width_in >= WIDE_IN else -(-STAGES // 2)
        rows = -(-STAGES // columns)
        figure = Figure(figsize=(width_in, ROW_IN * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for stage, axes in enumerate(panels.flatten()):
            for depth in range(MAX_DEPTH):
                spread = group.spread(alpha_of(stage, depth))
                _draw(axes, spread, f"depth {depth + 1}" if stage == 0 else "", depth, colours)
            axes.set_title(f"Stage {stage + 1}")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        for axes in panels[-1]:
            axes.set_xlabel("Epoch")
        for row in panels:
            row[0].set_ylabel(r"$\alpha$")
        figure.legend(loc="outside upper center", ncols=MAX_DEPTH if columns == STAGES else 3)
        return figure


def alpha_table(group: SearchGroup) -> ReportTable:
    """Return the alphas after the last epoch, a row per stage."""
    return ReportTable(
        title=f"Alphas of {METHODS[group.method]} on {group.dataset}",
        head=["stage", *(f"depth {depth + 1}" for depth in range(MAX_DEPTH))],
        rows=[
            [
                str(stage + 1),
                *(
                    f"{group.spread(alpha_of(stage, depth)).mean_E[-1]:.3f}"
                    for depth in range(MAX_DEPTH)
                ),
            ]
            for stage in range(STAGES)
        ],
        note="After the last epoch, the mean over seeds.",
    )


def search_csv(records: Sequence[SearchRecord]) -> str | None:
    """Return the figures' values: a row per quantity and epoch; None without a search."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    for group in group_searches(records):
        for quantity, spread in _quantities(group):
            name = [group.dataset, METHODS[group.method], len(group.records), quantity]
            columns = (spread.mean_E.tolist(), spread.low_E.tolist(), spread.high_E.tolist())
            for epoch, *values in zip(spread.epochs_E.tolist(), *columns, strict=True):
                writer.writerow([*name, epoch, *map(repr, values)])
    return content.getvalue() if records else None


def _quantities(group: SearchGroup) -> Iterator[tuple[str, Spread]]:
    yield "parameters", group.spread(lambda epoch: epoch.parameters)
    for stage in range(STAGES):
        for depth in range(MAX_DEPTH):
            yield (
                f"alpha, stage {stage + 1}, depth {depth + 1}",
                group.spread(alpha_of(stage, depth)),
            )


def _million(epoch: SearchEpoch) -> float:
    return epoch.parameters / 1e6


def _draw(axes: Axes, spread: Spread, label: str, number: int, colours: Sequence[str]) -> None:
    colour = colours[number % len(colours)]
    axes.fill_between(
        spread.epochs_E, spread.low_E, spread.high_E, color=colour, alpha=BAND_ALPHA, linewidth=0
    )
    axes.plot(
        spread.epochs_E, spread.mean_E, color=colour, linestyle=DASHES[number % len(DASHES)],
        marker="o" if len(spread.epochs_E) == 1 else "", label=label or None,
    )  # fmt: skip
