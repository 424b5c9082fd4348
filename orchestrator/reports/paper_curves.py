"""Figures for papers as data: one for each metric, data set and axis, with a line per system.

Runs and evaluations are combined, and seeds and links are pooled, as in `comparison.py`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import SystemCurve, labels_of, system_curves
from orchestrator.reports.curves import metrics_of
from orchestrator.reports.rates import RateCurve, rate_curves, spread
from orchestrator.reports.ratios import ratio_curves
from orchestrator.reports.system_titles import system_title
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged

Axis = Literal["snr_db", "sir_db", "compression_ratio", "symbols"]
MAX_LINES = 8  # largest number of lines of a figure; beyond it, each channel has its own figure
FEWEST = 2  # points of a line
RATE_SNRS = 4  # SNRs of a figure against symbols, evenly spread


@dataclass(frozen=True, kw_only=True)
class PaperLine:
    """A system over a channel: a score at each position of the axis, ascending.

    `system` and `codec` are names in manifests, `series` is the name of the line. `codec` is empty
    if a line has several.
    """

    system: str
    codec: str
    series: str
    channel: str
    seeds: int
    points: list[tuple[float, Score]]


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A metric on a data set against one axis; `at` names common settings."""

    name: str
    dataset: str
    metric: Metric
    axis: Axis
    at: str
    lines: list[PaperLine]

    @property
    def channels(self) -> list[str]:
        """Labels of its channels."""
        return list(dict.fromkeys(line.channel for line in self.lines))

    @property
    def names(self) -> list[str]:
        """Return the name of each line: no more than needed to distinguish it."""
        series = {line.series for line in self.lines}
        if len(self.channels) == 1:
            return [line.series for line in self.lines]
        titles = [channel_title(line.channel) for line in self.lines]
        if len(series) == 1:
            return titles
        return [f"{line.series}, {title}" for line, title in zip(self.lines, titles, strict=True)]


class _Place(NamedTuple):
    """Names of a line against SIR."""

    dataset: str
    snr_db: float
    system: str
    codec: str
    channel: str


def paper_figures(runs: Sequence[StoredRun], *, ratio_snr_db: float) -> list[PaperFigure]:
    """Return all figures for which the runs have data, by unique names."""
    figures: list[PaperFigure] = []
    for metric in metrics_of(runs):
        for figure in (
            *_against_snr(runs, metric),
            *_against_sir(runs, metric),
            *_against_ratio(runs, metric, ratio_snr_db),
            *_against_symbols(runs, metric),
        ):
            figures += _in_parts(figure)
    taken: dict[str, int] = {}
    named: list[PaperFigure] = []
    for figure in figures:
        count = taken[figure.name] = taken.get(figure.name, 0) + 1
        named.append(replace(figure, name=f"{figure.name}-{count}") if count > 1 else figure)
    return named


def _against_snr(runs: Sequence[StoredRun], metric: Metric) -> Iterator[PaperFigure]:
    curves = [each for each in system_curves(runs, metric) if len(each.points) >= FEWEST]
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        yield PaperFigure(
            name=slug(metric.name, dataset),
            dataset=dataset,
            metric=metric,
            axis="snr_db",
            at="",
            lines=[_line(curve) for curve in curves if curve.dataset == dataset],
        )


def _line(curve: SystemCurve) -> PaperLine:
    return PaperLine(
        system=curve.system,
        codec=curve.codec,
        series=curve.series,
        channel=curve.channel,
        seeds=curve.seeds,
        points=[(point.snr_db, point.score) for point in curve.points],
    )


def _against_sir(runs: Sequence[StoredRun], metric: Metric) -> Iterator[PaperFigure]:
    """Yield a figure per data set and SNR with several SIRs: a line per number of interferers."""
    labels = labels_of(runs)
    found: dict[_Place, dict[float, list[PointSummary]]] = defaultdict(lambda: defaultdict(list))
    for point in (each for run in runs for each in run.summary.points):
        met = point.interference
        if metric in point.task.METRICS and met is not None and point.sir_db is not None:
            bare = channel_title(point.channel.removesuffix(met.label).strip())
            many = f"{point.interferers} interferer{'s' * (point.interferers > 1)}"
            place = _Place(
                point.dataset, point.snr_db, point.system, point.codec, f"{bare}, {many}"
            )
            found[place][point.sir_db].append(point)
    drawn = {place: by_sir for place, by_sir in found.items() if len(by_sir) >= FEWEST}
    for dataset, snr_db in dict.fromkeys(place[:2] for place in drawn):
        yield PaperFigure(
            name=slug(metric.name, dataset, "sir", f"at-{snr_db:g}-db"),
            dataset=dataset,
            metric=metric,
            axis="sir_db",
            at=f"at Es/N0 of {snr_db:g} dB",
            lines=[
                _sir_line(place, by_sir, labels)
                for place, by_sir in drawn.items()
                if place[:2] == (dataset, snr_db)
            ],
        )


def _sir_line(
    place: _Place, by_sir: Mapping[float, list[PointSummary]], labels: Mapping[str, str]
) -> PaperLine:
    return PaperLine(
        system=place.system,
        codec=place.codec,
        series=labels.get(place.codec, system_title(place.system, labels)),
        channel=place.channel,
        seeds=len({each.seed for points in by_sir.values() for each in points}),
        points=[(sir_db, _pooled(by_sir[sir_db])) for sir_db in sorted(by_sir)],
    )


def _against_ratio(
    runs: Sequence[StoredRun], metric: Metric, snr_db: float
) -> Iterator[PaperFigure]:
    curves = ratio_curves(runs, metric, snr_db=snr_db)
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        yield PaperFigure(
            name=slug(metric.name, dataset, "ratio"),
            dataset=dataset,
            metric=metric,
            axis="compression_ratio",
            at=f"at Es/N0 of {snr_db:g} dB",
            lines=[
                PaperLine(
                    system=curve.system,
                    codec="",
                    series=curve.title,
                    channel=curve.channel,
                    seeds=0,
                    points=[(point.ratio, point.found.score) for point in curve.points],
                )
                for curve in curves
                if curve.dataset == dataset
            ],
        )


def _against_symbols(runs: Sequence[StoredRun], metric: Metric) -> Iterator[PaperFigure]:
    """Yield a figure of each ordered codec over a channel: fixed lengths and confidences."""
    curves = [each for each in rate_curves(runs) if each.metric == metric]
    for dataset, codec, channel in dict.fromkeys(curve.place[:3] for curve in curves):
        of_codec = [c for c in curves if c.place[:3] == (dataset, codec, channel)]
        chosen = spread(sorted({curve.place.snr_db for curve in of_codec}), RATE_SNRS)
        yield PaperFigure(
            name=slug(metric.name, dataset, codec, channel, "symbols"),
            dataset=dataset,
            metric=metric,
            axis="symbols",
            at=f"{codec} over {channel_title(channel)}",
            lines=[
                line
                for curve in of_codec
                if curve.place.snr_db in chosen
                for line in _rate_lines(curve)
            ],
        )


def _rate_lines(curve: RateCurve) -> Iterator[PaperLine]:
    named = f"{curve.place.snr_db:g} dB"
    kinds = (("", curve.fixed), (", until confident", curve.adaptive), (", by SNR", curve.by_snr))
    for kind, points in kinds:
        if len(points) >= FEWEST or (points and kind):
            yield PaperLine(
                system="",
                codec=curve.place.codec,
                series=f"{named}{kind}",
                channel=curve.place.channel,
                seeds=0,
                points=[(point.symbols, point.score) for point in points],
            )


def _in_parts(figure: PaperFigure) -> list[PaperFigure]:
    """Return a figure, or one for each channel if there are too many lines."""
    if len(figure.lines) <= MAX_LINES or len(figure.channels) == 1:
        return [figure]
    return [
        replace(
            figure,
            name=slug(figure.name, channel),
            at=f"{channel_title(channel)} {figure.at}".strip(),
            lines=[line for line in figure.lines if line.channel == channel],
        )
        for channel in figure.channels
    ]


def _pooled(points: Sequence[PointSummary]) -> Score:
    score = points[0].score
    for point in points[1:]:
        score = merged(score, point.score)
    return score


def slug(*parts: str) -> str:
    """Return parts as a file name of letters, digits, dots and hyphens."""
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts)
