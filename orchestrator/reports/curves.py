"""What the report shows: accuracy curves with all seeds together, and a latency bar per link."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import LinkLatency, PointSummary
from semcom.statistics import wilson_interval

CurveKey = tuple[str, str, str]  # data set, series, channel


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Accuracy at one SNR, the images of all seeds counted together."""

    snr_db: float
    images: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Share of images that were classified correctly, 0..1."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval, 0..1."""
        return wilson_interval(self.correct, self.images)

    def percent(self) -> str:
        """Accuracy and its interval as a cell of a table."""
        low, high = self.interval
        return f"{100 * self.accuracy:.2f} ({100 * low:.2f} to {100 * high:.2f})"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy of one system or codec (`series`) over one channel, by rising SNR.

    `gaps_db` are the SNRs that were planned and are not complete with any seed.
    """

    dataset: str
    series: str
    channel: str
    seeds: int
    points: list[CurvePoint]
    gaps_db: list[float]


@dataclass(frozen=True, kw_only=True)
class LatencyBar:
    """Where the time of a link's frames goes, and how the bar is called."""

    name: str
    latency: LinkLatency
    frame_images: int


class CountedSeries(NamedTuple):
    """A codec over a channel, as a row of `results.csv` names it."""

    dataset: str
    system: str
    codec: str
    channel: str


def pooled_points(points: Iterable[PointSummary | CurvePoint]) -> list[CurvePoint]:
    """A point per SNR, rising, the images of all seeds and links counted together."""
    images: Counter[float] = Counter()
    correct: Counter[float] = Counter()
    for point in points:
        images[point.snr_db] += point.images
        correct[point.snr_db] += point.correct
    return [
        CurvePoint(snr_db=snr_db, images=images[snr_db], correct=correct[snr_db])
        for snr_db in sorted(images)
    ]


def pooled_results(results_csv: str) -> dict[CountedSeries, list[CurvePoint]]:
    """The points of a run's or evaluation's `results.csv`, all seeds together."""
    found: dict[CountedSeries, list[CurvePoint]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(results_csv)):
        series = CountedSeries(row["dataset"], row["system"], row["codec"], row["channel"])
        found[series].append(
            CurvePoint(
                snr_db=float(row["snr_db"]),
                images=int(row["images"]),
                correct=int(row["correct"]),
            )
        )
    return {series: pooled_points(points) for series, points in found.items()}


def accuracy_curves(runs: Sequence[StoredRun]) -> list[Curve]:
    """Curves of the complete points of all runs, in the order of their plans.

    A series is called by as little as tells it apart: its system; its codec where a data set
    meets several of one system; its link where several share a codec; its run if there are two.
    """
    names = _series_names(runs)
    done: dict[CurveKey, list[PointSummary]] = defaultdict(list)
    gaps_db: dict[CurveKey, set[float]] = defaultdict(set)
    for run in runs:
        plan = run.summary.plan
        for point in run.summary.points:
            series = names[run.name, point.link, point.codec]
            done[point.dataset, series, point.channel].append(point)
        for link, index, _, _ in run.summary.incomplete:
            series = names[run.name, link, plan.codec_at(link, index).name]
            spec = plan.points[index].spec
            gaps_db[plan.links[link].dataset, series, spec.channel.label].add(spec.snr_db)
    return [_pooled(key, points, gaps_db[key]) for key, points in done.items()]


def latency_bars(runs: Sequence[StoredRun]) -> list[LatencyBar]:
    """A bar per link, and per codec where some link has several."""
    plans = [run.summary.plan for run in runs]
    by_codec = any(len(link.codecs) > 1 for plan in plans for link in plan.links.values())
    return [
        LatencyBar(
            name=_joined(
                run.name if len(runs) > 1 else "", latency.link, latency.codec if by_codec else ""
            ),
            latency=latency,
            frame_images=run.summary.plan.frame_images,
        )
        for run in runs
        for latency in run.summary.latencies
    ]


CHANNELS = {
    "awgn": "AWGN",
    "rayleigh": "Rayleigh",
    "rician": "Rician",
    "tdl": "TDL",
    "jakes": "Jakes",
}


def channel_title(label: str) -> str:
    """A channel's label as papers write it."""
    model, *rest = label.split(" ", 1)
    return " ".join([CHANNELS.get(model, model), *rest])


def _series_names(runs: Sequence[StoredRun]) -> dict[tuple[str, str, str], str]:
    """What a series is called, by (run, link, codec)."""
    planned = [
        (run.name, name, link.dataset, codec)
        for run in runs
        for name, link in run.summary.plan.links.items()
        for codec in link.codecs
    ]
    by_codec = _ambiguous(
        ((run, data, codec.system), codec.name) for run, _, data, codec in planned
    )
    by_link = _ambiguous(((run, data, codec.name), link) for run, link, data, codec in planned)
    return {
        (run, link, codec.name): _joined(
            run if len(runs) > 1 else "",
            link if by_link else "",
            codec.name if by_codec else codec.system,
        )
        for run, link, _, codec in planned
    }


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _ambiguous(pairs: Iterable[tuple[tuple[str, ...], str]]) -> bool:
    """Whether some key stands for more than one value."""
    first: dict[tuple[str, ...], str] = {}
    return any(first.setdefault(key, value) != value for key, value in pairs)


def _pooled(key: CurveKey, points: list[PointSummary], gaps_db: set[float]) -> Curve:
    dataset, series, channel = key
    pooled = pooled_points(points)
    return Curve(
        dataset=dataset,
        series=series,
        channel=channel,
        seeds=len({point.seed for point in points}),
        points=pooled,
        gaps_db=sorted(gaps_db - {point.snr_db for point in pooled}),
    )
