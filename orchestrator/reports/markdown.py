"""A run's results as Markdown tables, for README and docs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.reports.channel_titles import given_title
from orchestrator.reports.metric_texts import heading
from orchestrator.results.summary import Summary
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged

NO_LABELS: Mapping[str, str] = MappingProxyType({})


def markdown_tables(summary: Summary, labels: Mapping[str, str] = NO_LABELS) -> str:
    """Return a table per metric, with a title if there are several.

    `labels` are display names of codecs.
    """
    if len(summary.metrics) == 1:
        return markdown_table(summary, summary.metrics[0], labels)
    return "\n\n".join(
        f"**{heading(metric)}**\n\n{markdown_table(summary, metric, labels)}"
        for metric in summary.metrics
    )


def markdown_table(summary: Summary, metric: Metric, labels: Mapping[str, str] = NO_LABELS) -> str:
    """Return a metric with its 95 % interval: a row per SNR, a column per series.

    Series are the links, codecs and channels of the run; complete seeds are pooled, and points
    without any stay empty.
    """
    scores: dict[tuple[float, str], Score] = {}
    for point in summary.points:
        channel = given_title(point.channel) or point.channel
        codec = labels.get(point.codec, point.codec)
        several = len(summary.plan.links[point.link].codecs) > 1
        names = [point.link, codec, channel] if several else [point.link, channel]
        key = point.snr_db, ", ".join(names)
        if metric in point.task.METRICS:
            scores[key] = merged(scores[key], point.score) if key in scores else point.score
    columns = list(dict.fromkeys(name for _, name in scores))
    cells = {key: metric.printed(score) for key, score in scores.items()}
    lines = [["Es/N0 (dB)", *columns], ["---:"] * (1 + len(columns))]
    for snr_db in sorted({snr_db for snr_db, _ in scores}):
        lines.append([f"{snr_db:g}", *(cells.get((snr_db, name), "") for name in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
