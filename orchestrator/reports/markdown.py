"""A run's results as Markdown tables, for README and docs: copied, never typed."""

from __future__ import annotations

from orchestrator.reports.metric_texts import heading
from orchestrator.results.summary import Summary
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged


def markdown_tables(summary: Summary) -> str:
    """A table per metric, with a title where there are several."""
    if len(summary.metrics) == 1:
        return markdown_table(summary, summary.metrics[0])
    return "\n\n".join(
        f"**{heading(metric)}**\n\n{markdown_table(summary, metric)}" for metric in summary.metrics
    )


def markdown_table(summary: Summary, metric: Metric) -> str:
    """A metric with its 95 % interval: a row per SNR, a column per series.

    Series are the links, codecs and channels of the run; all complete seeds count together, and
    points without any stay empty.
    """
    scores: dict[tuple[float, str], Score] = {}
    for point in summary.points:
        key = point.snr_db, _series(summary, point.link, point.codec, point.channel)
        if metric in point.task.METRICS:
            scores[key] = merged(scores[key], point.score) if key in scores else point.score
    names = list(dict.fromkeys(name for _, name in scores))
    cells = {key: metric.printed(score) for key, score in scores.items()}
    lines = [["Es/N0 (dB)", *names], ["---:"] * (1 + len(names))]
    for snr_db in sorted({snr_db for snr_db, _ in scores}):
        lines.append([f"{snr_db:g}", *(cells.get((snr_db, name), "") for name in names)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _series(summary: Summary, link: str, codec: str, channel: str) -> str:
    several = len(summary.plan.links[link].codecs) > 1
    return ", ".join([link, codec, channel] if several else [link, channel])
