"""Fig. 7: selected parameters and alphas over the epochs; means and spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator

from orchestrator.reports.direct_labels import EndLabel, label_line_ends
from orchestrator.reports.drawing import dressed, new_figure, plain, png_bytes
from orchestrator.reports.search_history import METHODS, SearchGroup, Spread
from orchestrator.reports.theme import LIGHT, Theme
from semcom.architecture import MAX_DEPTH, STAGE_PLANES
from semcom.records import SearchEpoch

BAND_ALPHA = 0.18
MAX_COLUMNS = 3  # of panels
TITLE_LETTERS = 44
STAGES = len(STAGE_PLANES)


def parameters_png(groups: Sequence[SearchGroup], theme: Theme = LIGHT) -> bytes:
    """Selected parameters over the epochs: a panel per data set, a line per method."""
    datasets = list(dict.fromkeys(group.dataset for group in groups))
    columns = min(MAX_COLUMNS, len(datasets))
    rows = -(-len(datasets) // columns)
    with dressed(theme):
        figure = new_figure(4.1 * columns, 2.7 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes, dataset in zip(panels, datasets, strict=False):
            _draw_parameters(axes, [group for group in groups if group.dataset == dataset], theme)
            axes.set_title(plain(dataset, TITLE_LETTERS))
        for axes in panels[len(datasets) :]:
            axes.remove()
        return png_bytes(figure)


def alpha_png(groups: Sequence[SearchGroup], theme: Theme = LIGHT) -> bytes:
    """The alphas of one data set: a row per method, a column per stage, a line per depth."""
    with dressed(theme):
        figure = new_figure(2.7 * STAGES, 2.1 * len(groups) + 0.2)
        panels = figure.subplots(len(groups), STAGES, squeeze=False, sharey="row", sharex=True)
        for row, group in zip(panels, groups, strict=True):
            for stage, axes in enumerate(row):
                _draw_alphas(axes, group, stage, theme)
            # Names are placed once all panels of the row have set their common limits.
            for stage, axes in enumerate(row):
                _name_depths(axes, group, stage, theme)
            row[0].set_ylabel(f"{METHODS[group.method]}\n$\\alpha$")
        for stage, axes in enumerate(panels[0]):
            axes.set_title(f"stage {stage + 1}")
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
        return png_bytes(figure)


def _draw_parameters(axes: Axes, groups: Sequence[SearchGroup], theme: Theme) -> None:
    labels: list[EndLabel] = []
    for group in groups:
        colour = theme.series[list(METHODS).index(group.method)]
        spread = group.spread(lambda epoch: epoch.parameters / 1e6)
        _draw_spread(axes, spread, colour)
        labels.append(_end(spread, METHODS[group.method], colour))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("selected parameters (million)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    label_line_ends(axes, labels, height_in=2.0)


def _draw_alphas(axes: Axes, group: SearchGroup, stage: int, theme: Theme) -> None:
    for depth, colour in enumerate(depth_colours(theme)):
        _draw_spread(axes, group.spread(alpha_of(stage, depth)), colour)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.margins(x=0.02)


def _name_depths(axes: Axes, group: SearchGroup, stage: int, theme: Theme) -> None:
    labels = [
        _end(group.spread(alpha_of(stage, depth)), f"depth {depth + 1}", colour)
        for depth, colour in enumerate(depth_colours(theme))
    ]
    label_line_ends(axes, labels, height_in=1.6, size=8)


def depth_colours(theme: Theme) -> list[str]:
    """Return colours of depths 1 to 5, ordered by lightness."""
    low, high = (0.0, 0.78) if theme is LIGHT else (0.25, 1.0)
    return [to_hex(colormaps["viridis"](share)) for share in np.linspace(low, high, MAX_DEPTH)]


def alpha_of(stage: int, depth: int) -> Callable[[SearchEpoch], float]:
    """Return a function that reads the alpha of a stage and depth, both from 0, from an epoch."""
    return lambda epoch: epoch.alpha[stage][depth]


def _draw_spread(axes: Axes, spread: Spread, colour: str) -> None:
    axes.fill_between(
        spread.epochs_E, spread.low_E, spread.high_E, color=colour, alpha=BAND_ALPHA, linewidth=0
    )
    marker = "o" if len(spread.epochs_E) == 1 else ""
    axes.plot(spread.epochs_E, spread.mean_E, color=colour, marker=marker)


def _end(spread: Spread, text: str, colour: str) -> EndLabel:
    return EndLabel(float(spread.epochs_E[-1]), float(spread.mean_E[-1]), text, colour)
