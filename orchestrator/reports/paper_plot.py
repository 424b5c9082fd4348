"""A figure for papers: one panel, with the size and fonts of its style."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

from orchestrator.reports.drawing import plain
from orchestrator.reports.metric_texts import axis_label, limits_of
from orchestrator.reports.paper_curves import Axis, PaperFigure
from orchestrator.reports.paper_style import styled_figures
from orchestrator.reports.strokes import DASHES, stroke

Format = Literal["pdf", "svg", "png"]
FORMATS: tuple[Format, ...] = ("pdf", "svg", "png")
AXES: dict[Axis, str] = {
    "snr_db": "$E_s/N_0$ (dB)",
    "sir_db": "SIR (dB)",
    "compression_ratio": "compression ratio $1 - c/D$",
    "symbols": "mean complex symbols of an item",
}
INSIDE = 5  # largest number of legend entries inside the panel
# Metadata of files without times, so that equal results give equal files.
METADATA: dict[Format, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


class PaperDrawing(NamedTuple):
    """A figure of any kind: the name of its files, how it is drawn, and its LaTeX table."""

    name: str
    draw: Callable[[dict[str, Any]], Figure]
    table: str


def draw_paper_figure(shown: PaperFigure, settings: dict[str, Any]) -> Figure:
    """Return a figure in a style: values with their 95 % intervals, a line per system."""
    metric = shown.metric
    with styled_figures(settings) as colours:
        figure = Figure(figsize=mpl.rcParams["figure.figsize"], layout="constrained")
        axes = figure.subplots()
        series = list(dict.fromkeys(line.series for line in shown.lines))
        for index, (line, name) in enumerate(zip(shown.lines, shown.names, strict=True)):
            scores = [score for _, score in line.points]
            value = [metric.scale * metric.value(score) for score in scores]
            low, high = (
                [metric.scale * metric.interval(score)[end] for score in scores] for end in (0, 1)
            )
            axes.errorbar(
                [place for place, _ in line.points],
                value,
                yerr=(_apart(value, low), _apart(high, value)),
                label=plain(name),
                **_stroke(shown, index, series, colours),
            )
        axes.set_xlabel(AXES[shown.axis])
        named = axis_label(metric)
        axes.set_ylabel(named[:1].upper() + named[1:])
        intervals = [metric.interval(score) for line in shown.lines for _, score in line.points]
        axes.set_ylim(limits_of(metric, intervals))
        if shown.axis == "symbols":
            _double(axes, shown)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        if len(shown.lines) > INSIDE:
            figure.legend(loc="outside upper center", ncols=2)
        elif len(shown.lines) > 1:
            axes.legend(loc="best")
        return figure


def figure_bytes(drawing: PaperDrawing, settings: dict[str, Any], form: Format) -> bytes:
    """Return a figure as a file of a format."""
    content = io.BytesIO()
    with styled_figures(settings):
        figure = drawing.draw(settings)
        FigureCanvasAgg(figure)
        figure.savefig(content, format=form, metadata=METADATA[form])
    return content.getvalue()


def _double(axes: Axes, shown: PaperFigure) -> None:
    """Use a logarithmic axis: lengths differ by their ratio."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=10))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    places = [place for line in shown.lines for place, _ in line.points]
    axes.set_xlim(0.9 * min(places), 1.1 * max(places))


def _stroke(
    shown: PaperFigure, index: int, series: Sequence[str], colours: Sequence[str]
) -> dict[str, Any]:
    """Return the style of a line: series by colour and marker, channels by dashes."""
    line = shown.lines[index]
    number, channel = series.index(line.series), shown.channels.index(line.channel)
    alone = len(series) == 1 and len(shown.channels) > 1
    colour = colours[(channel if alone else number) % len(colours)]
    turn = len(DASHES) * (number + number // len(colours))
    of = stroke(colour, turn + channel)
    paper = mpl.rcParams["axes.facecolor"]
    return {
        "color": colour,
        "linestyle": of.dashes,
        "marker": of.marker,
        "markerfacecolor": colour if channel == 0 else paper,
    }


def _apart(upper: Sequence[float], lower: Sequence[float]) -> list[float]:
    return [max(0.0, high - low) for high, low in zip(upper, lower, strict=True)]
