"""A run's results as Markdown tables, for README and docs: copied, never typed."""

from __future__ import annotations

from orchestrator.reports.metric_texts import heading
from orchestrator.results.summary import PointSummary, Summary
from semcom.tasks.metric import Metric


def markdown_tables(summary: Summary) -> str:
    """A table per metric, with a title where there are several."""
    if len(summary.metrics) == 1:
        return markdown_table(summary, summary.metrics[0])
    return "\n\n".join(
        f"**{heading(metric)}**\n\n{markdown_table(summary, metric)}" for metric in summary.metrics
    )


def markdown_table(summary: Summary, metric: Metric) -> str:
    """A metric with its 95 % interval: a row per SNR, a column per series.

    Series are the links, codecs, channels and seeds of the run; incomplete points stay empty.
    """
    rows: dict[float, dict[str, str]] = {}
    names: dict[str, None] = {}
    for point in summary.points:
        if metric in point.task.METRICS:
            name = _series(summary, point)
            names[name] = None
            rows.setdefault(point.snr_db, {})[name] = metric.printed(point.score)
    lines = [["Es/N0 (dB)", *names], ["---:"] * (1 + len(names))]
    lines += [[f"{snr_db:g}", *(rows[snr_db].get(n, "") for n in names)] for snr_db in sorted(rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _series(summary: Summary, point: PointSummary) -> str:
    parts = [point.link, point.channel]
    if len(summary.plan.links[point.link].codecs) > 1:
        parts.insert(1, point.codec)
    if len({planned.spec.seed for planned in summary.plan.points}) > 1:
        parts.append(f"seed {point.seed}")
    return ", ".join(parts)
