"""Tables of the values in figures for papers: LaTeX with booktabs for each, one CSV for all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from orchestrator.reports.latex import booktabs, escaped, number_text
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.paper_curves import Axis, PaperFigure, PaperLine
from semcom.tasks.score import ITEMS, Score

COLUMNS = (
    "figure", "dataset", "system", "codec", "label", "channel", "seeds", "axis", "at", "items",
    "metric", "value", "ci95_low", "ci95_high",
)  # fmt: skip
AXES: dict[Axis, str] = {
    "snr_db": r"$E_s/N_0$ (dB)",
    "sir_db": "SIR (dB)",
    "compression_ratio": "Ratio",
    "symbols": "Symbols",
}


def latex_table(shown: PaperFigure) -> str:
    """Return a table for the package booktabs: a row per position of the axis, a column per line.

    Values are printed as in the report, with their 95 % intervals in parentheses.
    """
    cells = [{at: _cell(shown, score) for at, score in line.points} for line in shown.lines]
    places = sorted({at for column in cells for at in column})
    rows = [[_number(at), *(column.get(at, "--") for column in cells)] for at in places]
    head = [AXES[shown.axis], *map(escaped, shown.names)]
    title = " ".join(f"{shown.dataset}: {heading(shown.metric)} {shown.at}".split())
    comment = f"{title}; 95 % intervals in parentheses."
    return booktabs(head, rows, comment=comment, columns="r" * len(head))


def curves_csv(figures: Sequence[PaperFigure]) -> str:
    """Return all values in the figures, of all runs: a row per point of a line.

    Values are not scaled: a share is between 0 and 1.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(COLUMNS)
    for figure in figures:
        for line in figure.lines:
            writer.writerows(_rows(figure, line))
    return content.getvalue()


def _rows(figure: PaperFigure, line: PaperLine) -> Iterable[list[object]]:
    metric = figure.metric
    for at, score in line.points:
        low, high = metric.interval(score)
        yield [
            figure.name, figure.dataset, line.system, line.codec, line.series, line.channel,
            line.seeds or "", figure.axis, f"{at:g}", score[ITEMS], metric.name,
            repr(metric.value(score)), repr(low), repr(high),
        ]  # fmt: skip


def _cell(shown: PaperFigure, score: Score) -> str:
    metric = shown.metric
    low, high = (number_text(metric.number(end, short=True)) for end in metric.interval(score))
    return f"{number_text(metric.number(metric.value(score)))} ({low}--{high})"


def _number(value: float) -> str:
    return number_text(f"{value:g}")
