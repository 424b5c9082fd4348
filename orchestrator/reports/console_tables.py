"""Results for the terminal, a table per metric: one SNR per column, as many as fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table

from orchestrator.cli.terminal import MIN_NUMBER_WIDTH, add_number_columns, new_table
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import SystemCurve, system_curves
from orchestrator.reports.curves import metrics_of
from orchestrator.reports.metric_texts import against_snr, value_text
from orchestrator.results.run_folder import RESULTS_CSV, StoredRun
from orchestrator.results.summary import Summary
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged

INCOMPLETE = "…"
EDGES = 2  # columns beside a table


class Series(NamedTuple):
    """A line of a run's table; items of all seeds are pooled."""

    link: str
    codec: str
    channel: str


def run_tables(summary: Summary, *, width: int | None = None) -> list[Table]:
    """Return a table of each metric of a run: a line per link and channel, a column per SNR.

    Seeds are pooled, as everywhere in a report.

    If `width` columns are too few for all SNRs, every second or third is shown, with a note in the
    caption. An incomplete point is shown as an ellipsis.
    """
    return [_run_table(summary, metric, width) for metric in summary.metrics]


def _run_table(summary: Summary, metric: Metric, width: int | None) -> Table:
    cells = _cells(summary, metric)
    seeds = len({point.spec.seed for point in summary.plan.points})
    groups = _groups(summary, cells)
    names = ["link", *(part for name in groups for part in name.split("\n"))]
    columns = [names, ["channel", *(channel_title(series.channel) for series, _ in cells)]]
    room = None if width is None else _room(width, columns)
    snrs_db, caption = _shown((snr_db for _, snr_db in cells), cells.values(), room)
    pooled = f"{seeds} channel seeds pooled" if seeds > 1 else None
    incomplete = f"{INCOMPLETE} not complete" if INCOMPLETE in cells.values() else None
    table = new_table(
        *(column[0] for column in columns),
        title=f"{summary.plan.name}: {against_snr(metric)}",
        caption="; ".join(note for note in (pooled, caption, incomplete) if note) or None,
        dense=True,
    )
    add_number_columns(table, [f"{snr_db:g}" for snr_db in snrs_db])
    # One row of the table per link: its name may take several lines, next to the channels'.
    for name, lines in groups.items():
        texts = [[channel_title(series.channel) for series in lines]]
        texts += [[cells.get((series, snr_db), "") for series in lines] for snr_db in snrs_db]
        table.add_row(name, *("\n".join(column) for column in texts), end_section=True)
    return table


def system_tables(runs: Sequence[StoredRun], *, width: int | None = None) -> list[Table]:
    """Return tables of evaluations: one per metric and data set, with seeds pooled."""
    return [
        _system_table(dataset, [curve for curve in curves if curve.dataset == dataset], width)
        for curves in (system_curves(runs, metric) for metric in metrics_of(runs))
        for dataset in dict.fromkeys(curve.dataset for curve in curves)
    ]


def _system_table(dataset: str, curves: Sequence[SystemCurve], width: int | None) -> Table:
    columns = [
        ["system", *(curve.series for curve in curves)],
        ["channel", *(channel_title(curve.channel) for curve in curves)],
    ]
    metric = curves[0].metric
    points = [
        {p.snr_db: value_text(metric, p.score, short=True) for p in curve.points}
        for curve in curves
    ]
    room = None if width is None else _room(width, columns)
    texts = [text for found in points for text in found.values()]
    snrs_db, caption = _shown((snr_db for found in points for snr_db in found), texts, room)
    title = f"{dataset}: {against_snr(metric)}"
    table = new_table("system", "channel", title=title, caption=caption, dense=True)
    add_number_columns(table, [f"{snr_db:g}" for snr_db in snrs_db])
    for name, channel, found in zip(*(column[1:] for column in columns), points, strict=True):
        table.add_row(name, channel, *(found.get(snr_db, "") for snr_db in snrs_db))
    return table


def _room(width: int, names: Sequence[Sequence[str]]) -> int:
    """Return the width that remains next to columns of names."""
    return width - EDGES - sum(max(map(len, column)) + 1 for column in names)


def _shown(
    planned: Iterable[float], cells: Iterable[str], room: int | None
) -> tuple[list[float], str | None]:
    """Return the SNRs whose cells fit, and a note on the others; all if `room` is None."""
    snrs_db = sorted(set(planned))
    column = 1 + max(MIN_NUMBER_WIDTH, *map(len, cells), *(len(f"{snr:g}") for snr in snrs_db))
    step = 1 if room is None else -(-column * len(snrs_db) // max(column, room)) or 1
    caption = f"one of {step} SNRs shown, all are in {RESULTS_CSV}" if step > 1 else None
    return snrs_db[::step], caption


def _cells(summary: Summary, metric: Metric) -> dict[tuple[Series, float], str]:
    """Return the cell of each planned series and SNR with a metric, in the order of the plan.

    As in figures, a point is computed from its complete seeds, and has no value without any.
    """
    plan = summary.plan
    scores: dict[tuple[Series, float], Score] = {}
    for done in summary.points:
        key = Series(done.link, done.codec, done.channel), done.snr_db
        if metric in done.task.METRICS:
            scores[key] = merged(scores[key], done.score) if key in scores else done.score
    cells: dict[tuple[Series, float], str] = {}
    for link in plan.links:
        for point in plan.points_of(link):
            spec, codec = plan.points[point].spec, plan.codec_at(link, point).name
            key = Series(link, codec, spec.label), spec.snr_db
            if metric in summary.task_of(link, point).METRICS:
                score = scores.get(key)
                cells[key] = INCOMPLETE if score is None else value_text(metric, score, short=True)
    return cells


def _groups(summary: Summary, cells: dict[tuple[Series, float], str]) -> dict[str, list[Series]]:
    """Return series by the name of their link, and of their codec if it has several; by channel."""
    groups: dict[str, dict[Series, None]] = {}
    channels = list(dict.fromkeys(series.channel for series, _ in cells))
    for series, _ in cells:
        several = len(summary.plan.links[series.link].codecs) > 1
        name = f"{series.link}\n{series.codec}" if several else series.link
        groups.setdefault(name, {})[series] = None
    return {
        name: sorted(found, key=lambda series: channels.index(series.channel))
        for name, found in groups.items()
    }
