"""Three separate spreads of a result: over items, channel draws and trainings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import stdev

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.clustered import mean_error
from orchestrator.reports.comparison import SystemCurve, facts_of
from orchestrator.reports.curves import CurvePoint
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.statistics import Z_95
from semcom.tasks.metric import Metric

HEAD = [
    "system", "channel", "Es/N0 (dB)", "value", "items: standard error",
    "channel: standard deviation", "training: standard deviation",
]  # fmt: skip
NOTE = (
    "Items: how much the value would change with other items of the same kind. Channel: "
    "between channel seeds, on the same items. Training: between codecs trained identically except "
    "for the seed. The number of seeds is in brackets; a single seed has no spread."
)
Group = tuple[str, str, str]  # data set, system, how it was trained
# By channel and SNR, then by the seed of the training.
Trained = defaultdict[Group, defaultdict[tuple[str, float], dict[int, float]]]


def spread_tables(curves: Sequence[SystemCurve], runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return a table per data set; none without a second seed or training."""
    facts = facts_of(runs)
    trained = _trainings(curves, facts)
    tables: list[ReportTable] = []
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        rows = [
            _row(curve, point, trained[_group(curve, facts)][curve.channel, point.snr_db])
            for curve in curves
            if curve.dataset == dataset
            for point in curve.points
        ]
        if any(row[5] != NOTHING or row[6] != NOTHING for row in rows):
            title = f"{dataset}: spreads of {heading(curves[0].metric)}"
            tables.append(ReportTable(title=title, head=HEAD, rows=rows, note=NOTE))
    return tables


def _row(curve: SystemCurve, point: CurvePoint, trainings: dict[int, float]) -> list[str]:
    metric = curve.metric
    by_seed: dict[int, list[float]] = defaultdict(list)
    for each in point.points:
        by_seed[each.seed].append(metric.value(each.score))
    seeds = [sum(values) / len(values) for values in by_seed.values()]
    return [
        curve.series,
        channel_title(curve.channel),
        f"{point.snr_db:g}",
        metric.number(metric.value(point.score)),
        metric.number(_item_error(metric, point)),
        _deviation(metric, seeds),
        _deviation(metric, list(trainings.values())),
    ]


def _item_error(metric: Metric, point: CurvePoint) -> float:
    """Return the standard error over items: of their clusters, else of the interval."""
    clusters = [each.clusters for each in point.points if each.clusters is not None]
    if metric.of is not None and len(clusters) == point.repeats > 1:
        error = mean_error(metric.of, clusters)
        if error is not None:
            return metric.step * error
    low, high = point.interval(metric)
    return (high - low) / (2 * Z_95)


def _deviation(metric: Metric, values: Sequence[float]) -> str:
    if len(values) < 2:
        return NOTHING
    return f"{metric.number(stdev(values))} ({len(values)})"


def _group(curve: SystemCurve, facts: dict[str, CodecFacts]) -> Group:
    codec = facts.get(curve.digest)
    told = None if codec is None else codec.trained_as
    return curve.dataset, curve.system, told or curve.digest


def _trainings(curves: Sequence[SystemCurve], facts: dict[str, CodecFacts]) -> Trained:
    """Return the values of codecs that were trained identically except for the seed."""
    found: Trained = defaultdict(lambda: defaultdict(dict))
    for curve in curves:
        codec = facts.get(curve.digest)
        if codec is None or codec.training_seed is None:
            continue
        for point in curve.points:
            at = found[_group(curve, facts)][curve.channel, point.snr_db]
            at[codec.training_seed] = curve.metric.value(point.score)
    return found
