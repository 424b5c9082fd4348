"""Tables of what figures for papers show: LaTeX with booktabs for each, one CSV for all."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

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
}
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def latex_table(shown: PaperFigure) -> str:
    """Return a table for the package booktabs: a row per place of the axis, a column per line.

    Values are as the report prints them, with their 95 % intervals in parentheses.
    """
    cells = [{at: _cell(shown, score) for at, score in line.points} for line in shown.lines]
    places = sorted({at for column in cells for at in column})
    rows = [" & ".join([_number(at), *(column.get(at, "--") for column in cells)]) for at in places]
    head = " & ".join([AXES[shown.axis], *map(escaped, shown.names)])
    title = " ".join(f"{shown.dataset}: {heading(shown.metric)} {shown.at}".split())
    lines = [
        f"% {title}; 95 % intervals in parentheses. Needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{r{'r' * len(shown.lines)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def curves_csv(figures: Sequence[PaperFigure]) -> str:
    """Return all that the figures show, of all runs: a row per point of a line.

    Values are not scaled: a share is from 0 to 1.
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
    low, high = (_number_text(metric.number(end, short=True)) for end in metric.interval(score))
    return f"{_number_text(metric.number(metric.value(score)))} ({low}--{high})"


def _number(value: float) -> str:
    return _number_text(f"{value:g}")


def _number_text(text: str) -> str:
    return f"${text}$" if text.startswith("-") else text


def escaped(text: str) -> str:
    """Return a text that LaTeX sets as it is."""
    return re.sub(r"[\\&%$#_{}~^]", lambda found: LATEX[found[0]], text)
