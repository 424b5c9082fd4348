"""For papers: the time of a frame by stage as stacked bars, with its table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from orchestrator.reports.curves import LatencyBar, latency_bars
from orchestrator.reports.drawing import plain
from orchestrator.reports.latency_plot import STAGES, stages_ms
from orchestrator.reports.paper_plot import PaperDrawing
from orchestrator.reports.paper_style import styled_figures
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun

NAME = "latency"
COLUMNS = ("link", "frames", *(f"{stage.replace(' ', '_')}_ms" for stage in STAGES))
ROOM_IN, BAR_IN = 0.75, 0.24
HATCHES = ("", "////", "....", "\\\\\\\\", "")
NAME_LETTERS = 30


def latency_drawings(runs: Sequence[StoredRun]) -> list[PaperDrawing]:
    """Return the figure of all runs through processes; none without such a run."""
    bars = latency_bars(runs)
    table = latency_table(bars).latex()
    return [PaperDrawing(NAME, partial(draw_latency, bars), table)] if bars else []


def draw_latency(bars: Sequence[LatencyBar], settings: dict[str, Any]) -> Figure:
    """Return stacked bars of median milliseconds per frame, a bar per link."""
    with styled_figures(settings) as colours:
        width_in, _ = mpl.rcParams["figure.figsize"]
        figure = Figure(figsize=(width_in, ROOM_IN + BAR_IN * len(bars)), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(bars)
        for number, (stage, widths) in enumerate(
            zip(STAGES, zip(*map(stages_ms, bars), strict=True), strict=True)
        ):
            axes.barh(
                range(len(bars)), widths, left=left, height=0.62, label=stage,
                color=colours[number % len(colours)], hatch=HATCHES[number], edgecolor="white",
                linewidth=0.3,
            )  # fmt: skip
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(bars)), [plain(bar.name, NAME_LETTERS) for bar in bars])
        axes.set_ylim(len(bars) - 0.5, -0.5)  # the first one on top
        axes.set_xlabel("Median time per frame (ms)")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper center", ncols=3)
        return figure


def latency_table(bars: Sequence[LatencyBar]) -> ReportTable:
    """Return medians of each stage, in milliseconds per frame."""
    return ReportTable(
        title="Median milliseconds per frame",
        head=["link", "frames", *STAGES],
        rows=[
            [bar.name, str(bar.latency.frames), *(f"{value:.2f}" for value in stages_ms(bar))]
            for bar in bars
        ],
        note="Network and queues: the rest of the median round trip.",
    )


def latency_csv(runs: Sequence[StoredRun]) -> str | None:
    """Return the figure's values; None without a run through processes."""
    bars = latency_bars(runs)
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    for bar in bars:
        writer.writerow([bar.name, bar.latency.frames, *map(repr, stages_ms(bar))])
    return content.getvalue() if bars else None
