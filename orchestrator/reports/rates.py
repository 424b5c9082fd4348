"""Compare the rates of ordered codewords: a metric against the symbols of an item, by SNR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.increments import Rate
from semcom.tasks.metric import Metric
from semcom.tasks.ordered_classification import MEAN_SYMBOLS
from semcom.tasks.score import Score, merged

NOTE = (
    "Symbols: the mean over items of complex symbols per item. Seeds and links of a codec "
    "are pooled; 95 % intervals in brackets."
)


class RatePoint(NamedTuple):
    """A rate of a codec at one SNR."""

    rate: Rate
    score: Score

    @property
    def symbols(self) -> float:
        """Mean complex symbols of an item."""
        return MEAN_SYMBOLS.value(self.score)


class RatePlace(NamedTuple):
    """A codec on a data set over a channel at an SNR."""

    dataset: str
    codec: str
    channel: str
    snr_db: float


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """Rates of a codec over a channel at one SNR; `fixed` and `adaptive` by ascending symbols."""

    place: RatePlace
    metric: Metric
    points: list[RatePoint]

    @property
    def fixed(self) -> list[RatePoint]:
        """Those that send the same number of increments at every SNR."""
        return [point for point in self.points if point.rate.increments is not None]

    @property
    def by_snr(self) -> list[RatePoint]:
        """That of the codec's table, which is one of the fixed ones at each SNR."""
        return [point for point in self.points if point.rate.by_snr]

    @property
    def adaptive(self) -> list[RatePoint]:
        """Rates that send as many increments as a confidence requires."""
        return [point for point in self.points if point.rate.confidence is not None]


def rate_curves(runs: Sequence[StoredRun]) -> list[RateCurve]:
    """Return a curve for each codec, channel and SNR that was sent at several rates."""
    found: dict[RatePlace, dict[Rate, Score]] = {}
    metrics: dict[RatePlace, Metric] = {}
    for point in (point for run in runs for point in run.summary.points):
        if point.rate is None or MEAN_SYMBOLS not in point.task.METRICS:
            continue
        place = _place(point, point.rate)
        metrics[place] = point.task.METRICS[0]
        scores = found.setdefault(place, {})
        known = scores.get(point.rate)
        scores[point.rate] = point.score if known is None else merged(known, point.score)
    return [
        RateCurve(
            place=place,
            metric=metrics[place],
            points=sorted(
                (RatePoint(rate, score) for rate, score in scores.items()),
                key=lambda point: point.symbols,
            ),
        )
        for place, scores in sorted(found.items())
        if len(scores) > 1
    ]


def spread(snrs_db: Sequence[float], most: int) -> list[float]:
    """Return a limited number of SNRs, evenly spread, including the lowest and the highest."""
    if len(snrs_db) <= most:
        return list(snrs_db)
    last = len(snrs_db) - 1
    return [snrs_db[round(index * last / (most - 1))] for index in range(most)]


def rate_tables(curves: Sequence[RateCurve]) -> list[ReportTable]:
    """Return a table of each codec over a channel: a row per SNR and rate."""
    together: dict[tuple[str, str, str], list[RateCurve]] = {}
    for curve in curves:
        together.setdefault(curve.place[:3], []).append(curve)
    return [
        ReportTable(
            title=f"{curves_of[0].metric.title} against symbols: {codec} over "
            f"{channel_title(channel)}, {dataset}",
            head=["Es/N0", "rate", "symbols", curves_of[0].metric.title],
            rows=[
                [
                    f"{curve.place.snr_db:g} dB", point.rate.label, f"{point.symbols:.1f}",
                    curve.metric.printed(point.score),
                ]
                for curve in curves_of
                for point in curve.points
            ],
            note=NOTE,
        )
        for (dataset, codec, channel), curves_of in together.items()
    ]  # fmt: skip


def _place(point: PointSummary, rate: Rate) -> RatePlace:
    channel = point.channel.removesuffix(rate.label).rstrip()
    return RatePlace(point.dataset, point.codec, channel, point.snr_db)
