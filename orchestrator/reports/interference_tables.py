"""A metric against SIR and number of interferers: a table per metric, with one block per SNR."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import CurvePoint, metrics_of, pooled_points
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric

NOTE = (
    "SIR of each interferer in dB; with N interferers, the total SIR is SIR - 10 log10 N. "
    "Links and seeds of a codec are pooled; 95 % intervals in brackets; each item is one draw."
)


class _Row(NamedTuple):
    """A line of a table."""

    dataset: str
    codec: str
    channel: str
    snr_db: float
    interferers: int


def interference_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return a table of each metric: a column per SIR, a row per number of interferers."""
    met = [run for run in runs if any(each.interference for each in run.summary.points)]
    return [table for metric in metrics_of(met) for table in _tables(met, metric)]


def _tables(runs: Sequence[StoredRun], metric: Metric) -> Iterator[ReportTable]:
    points = [point for run in runs for point in run.summary.points if metric in point.task.METRICS]
    sirs_db = sorted({point.sir_db for point in points if point.sir_db is not None})
    met: dict[tuple[_Row, float | None], list[PointSummary]] = defaultdict(list)
    for point in points:
        met[_row(point), point.sir_db].append(point)
    found = {place: pooled_points(of_place)[0] for place, of_place in met.items()}
    rows = sorted({row for row, _ in found})
    if sirs_db:
        yield ReportTable(
            title=f"{metric.title} against SIR",
            head=["data set", "codec", "channel", "Es/N0", "interferers", *map(_sir, sirs_db)],
            rows=[
                [
                    row.dataset, row.codec, channel_title(row.channel), f"{row.snr_db:g} dB",
                    str(row.interferers),
                    *(_cell(metric, found.get((row, _column(row, sir_db)))) for sir_db in sirs_db),
                ]
                for row in rows
            ],
            note=NOTE,
        )  # fmt: skip


def _row(point: PointSummary) -> _Row:
    channel, met = point.channel, point.interference
    if met is not None:
        channel = f"{channel.removesuffix(met.label)}{met.kind_label}".strip()
    return _Row(point.dataset, point.codec, channel, point.snr_db, point.interferers)


def _column(row: _Row, sir_db: float) -> float | None:
    """Return the SIR of a cell; without interferers, all SIRs are one point."""
    return sir_db if row.interferers else None


def _cell(metric: Metric, point: CurvePoint | None) -> str:
    return "" if point is None else point.printed(metric)


def _sir(sir_db: float) -> str:
    return f"SIR {sir_db:g} dB"
