"""Data of a report: curves of a metric over all seeds, and a latency bar per link."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from orchestrator.plan.plan import PlannedCodec
from orchestrator.reports.clustered import clustered_interval
from orchestrator.reports.system_titles import system_title
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import LinkLatency, PointSummary
from semcom.increments import Rate
from semcom.tasks.columns import score_of
from semcom.tasks.metric import Interval, Metric
from semcom.tasks.score import Score, merged

CurveKey = tuple[str, str, str, str]  # task, data set, series, channel


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Result at one SNR: the sums over the items of all seeds.

    `repeats` is the number of points in which each item was counted; `points` are those with known
    clusters.
    """

    snr_db: float
    score: Score
    repeats: int = 1
    points: tuple[PointSummary, ...] = field(default=(), compare=False, repr=False)

    def interval(self, metric: Metric) -> Interval:
        """Return the 95 % interval of a metric, in which each item counts as one draw."""
        clusters = [point.clusters for point in self.points]
        known = [each for each in clusters if each is not None]
        told = known if len(known) == self.repeats else []
        return clustered_interval(metric, self.score, self.repeats, told)

    def printed(self, metric: Metric) -> str:
        """Return the value of a metric with its interval, as a cell of a table."""
        low, high = map(metric.number, self.interval(metric))
        return f"{metric.number(metric.value(self.score))} ({low} to {high})"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A metric of one system or codec (`series`) over one channel, by ascending SNR.

    `task` is the kind of the task. `gaps_db` are the planned SNRs that are not complete with any
    seed.
    """

    task: str
    metric: Metric
    dataset: str
    series: str
    channel: str
    seeds: int
    points: list[CurvePoint]
    gaps_db: list[float]

    @property
    def intervals(self) -> list[Interval]:
        """The 95 % intervals of all points."""
        return [point.interval(self.metric) for point in self.points]

    @property
    def cells(self) -> dict[float, str]:
        """Return values with their intervals, as cells of a table, by SNR."""
        return {point.snr_db: point.printed(self.metric) for point in self.points}


@dataclass(frozen=True, kw_only=True)
class LatencyBar:
    """The time of a link's frames by stage, and the name of the bar."""

    name: str
    latency: LinkLatency
    frame_images: int


class CountedSeries(NamedTuple):
    """A codec over a channel, as in a row of `results.csv`."""

    task: str
    dataset: str
    system: str
    codec: str
    channel: str


def pooled_points(points: Iterable[PointSummary | CurvePoint]) -> list[CurvePoint]:
    """Return a point per SNR, ascending, with the items of all seeds and links pooled."""
    found: dict[float, list[PointSummary | CurvePoint]] = defaultdict(list)
    for point in points:
        found[point.snr_db].append(point)
    return [
        CurvePoint(
            snr_db=snr_db,
            score=reduce(_merged, (point.score for point in found[snr_db])),
            repeats=len(found[snr_db]),
            points=tuple(p for p in found[snr_db] if isinstance(p, PointSummary)),
        )
        for snr_db in sorted(found)
    ]


def _merged(first: Score, second: Score) -> Score:
    """Return the common sums: only some runs of a codec may have measures."""
    common = [name for name in first if name in second]
    return merged({n: first[n] for n in common}, {n: second[n] for n in common})


def pooled_results(results_csv: str) -> dict[CountedSeries, list[CurvePoint]]:
    """Return the points of a run's or evaluation's `results.csv`, with all seeds pooled.

    Raises:
        ValueError: a row has no score, or its task is not installed.
    """
    found: dict[CountedSeries, list[CurvePoint]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(results_csv)):
        task, score = score_of(row)
        series = CountedSeries(task, row["dataset"], row["system"], row["codec"], row["channel"])
        found[series].append(CurvePoint(snr_db=float(row["snr_db"]), score=score))
    return {series: pooled_points(points) for series, points in found.items()}


def metrics_of(runs: Sequence[StoredRun]) -> list[Metric]:
    """Return the metrics of all complete points, each once: task by task, the main metric first."""
    shown = {
        metric for run in runs for point in run.summary.points for metric in point.task.METRICS
    }
    planned = (metric for run in runs for metric in run.summary.metrics)
    return [metric for metric in dict.fromkeys(planned) if metric in shown]


def metric_curves(runs: Sequence[StoredRun], metric: Metric) -> list[Curve]:
    """Return curves of all runs' complete points that have a metric, in the order of their plans.

    A series is named by no more than needed to distinguish it: its system; its codec if a data set
    has several of one system; its link if several share a codec; its run if there are two. If
    ordered codewords are sent at several rates, each rate is a series.
    """
    names = _series_names(runs)
    done: dict[CurveKey, list[PointSummary]] = defaultdict(list)
    gaps_db: dict[CurveKey, set[float]] = defaultdict(set)
    for run in runs:
        plan = run.summary.plan
        for point in run.summary.points:
            series = names[run.name, point.link, point.codec]
            series, channel = at_rate(series, point.channel, point.rate)
            if metric in point.task.METRICS:
                done[point.task.kind, point.dataset, series, channel].append(point)
        for link, index, _, _ in run.summary.incomplete:
            series = names[run.name, link, plan.codec_at(link, index).name]
            spec, task = plan.points[index].spec, run.summary.task_of(link, index).kind
            series, channel = at_rate(series, spec.label, spec.rate)
            gaps_db[task, plan.links[link].dataset, series, channel].add(spec.snr_db)
    return [_pooled(key, points, gaps_db[key], metric) for key, points in done.items()]


def latency_bars(runs: Sequence[StoredRun]) -> list[LatencyBar]:
    """Return a bar per link, and per codec if some link has several."""
    plans = [run.summary.plan for run in runs]
    by_codec = any(len(link.codecs) > 1 for plan in plans for link in plan.links.values())
    return [
        LatencyBar(
            name=joined(
                run.name if len(runs) > 1 else "", latency.link, latency.codec if by_codec else ""
            ),
            latency=latency,
            frame_images=run.summary.plan.frame_images,
        )
        for run in runs
        for latency in run.summary.latencies
    ]


def _series_names(runs: Sequence[StoredRun]) -> dict[tuple[str, str, str], str]:
    """Return the names of series by (run, link, codec)."""
    planned = [
        (run.name, name, link.dataset, codec)
        for run in runs
        for name, link in run.summary.plan.links.items()
        for codec in link.codecs
    ]
    labels = {run.name: run.labels for run in runs}
    by_codec = _ambiguous(
        ((run, data, codec.system), codec.name) for run, _, data, codec in planned
    )
    by_link = _ambiguous(((run, data, codec.name), link) for run, link, data, codec in planned)
    return {
        (run, link, codec.name): joined(
            run if len(runs) > 1 else "",
            link if by_link else "",
            _label(labels[run], codec, by_codec=by_codec),
        )
        for run, link, _, codec in planned
    }


def at_rate(series: str, label: str, rate: Rate | None) -> tuple[str, str]:
    """Return series and channel of a point: its rate belongs to the series."""
    if rate is None:
        return series, label
    return joined(series, rate.label), label.removesuffix(rate.label).rstrip()


def _label(labels: Mapping[str, str], codec: PlannedCodec, *, by_codec: bool) -> str:
    """Return what a user calls a codec or its system, else the name that it has."""
    if codec.name in labels or by_codec:
        return labels.get(codec.name, codec.name)
    return system_title(codec.system, labels)


def joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _ambiguous(pairs: Iterable[tuple[tuple[str, ...], str]]) -> bool:
    """Return whether some key has more than one value."""
    first: dict[tuple[str, ...], str] = {}
    return any(first.setdefault(key, value) != value for key, value in pairs)


def _pooled(
    key: CurveKey, points: list[PointSummary], gaps_db: set[float], metric: Metric
) -> Curve:
    task, dataset, series, channel = key
    pooled = pooled_points(points)
    return Curve(
        task=task,
        metric=metric,
        dataset=dataset,
        series=series,
        channel=channel,
        seeds=len({point.seed for point in points}),
        points=pooled,
        gaps_db=sorted(gaps_db - {point.snr_db for point in pooled}),
    )
