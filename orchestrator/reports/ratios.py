"""A metric at one SNR against compression ratio c/D of a feature (Fig. 8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import (
    facts_of,
    labels_of,
    system_curves,
)
from orchestrator.reports.curves import CurvePoint, pooled_results
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.system_titles import system_title
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric
from semcom.tasks.registry import task_class

RATIO_SNR_DB = -10.0


@dataclass(frozen=True, kw_only=True)
class RatioPoint:
    """A codec with a compression ratio at the requested SNR.

    `bandwidth_ratio` is k/n, complex symbols per value of the image, if known.
    """

    ratio: float
    codec: str
    found: CurvePoint
    bandwidth_ratio: float | None


@dataclass(frozen=True, kw_only=True)
class RatioCurve:
    """A metric of one system over one channel at one SNR, by ascending compression ratio."""

    metric: Metric
    dataset: str
    system: str
    channel: str
    points: list[RatioPoint]
    label: str = ""

    @property
    def title(self) -> str:
        """Name of the system in a report."""
        return self.label or system_title(self.system, {})


class _Key(NamedTuple):
    dataset: str
    system: str
    channel: str


def ratio_curves(runs: Sequence[StoredRun], metric: Metric, *, snr_db: float) -> list[RatioCurve]:
    """Return a curve per data set, system and channel with at least two compression ratios."""
    facts = {key: codec for key, codec in facts_of(runs).items() if _has_ratio(codec)}
    found: dict[_Key, list[RatioPoint]] = defaultdict(list)
    for curve in system_curves(runs, metric):
        at_snr = [point for point in curve.points if point.snr_db == snr_db]
        if at_snr and curve.digest in facts:
            point = _ratio_point(facts[curve.digest], at_snr[0])
            found[_Key(curve.dataset, curve.system, curve.channel)].append(point)
    labels = labels_of(runs)
    curves = _curves(found, metric)
    return [replace(each, label=labels.get(each.system, "")) for each in curves]


def ratio_curves_of_results(
    results_csv: str, codecs: Iterable[CodecFacts], metric: Metric, *, snr_db: float
) -> list[RatioCurve]:
    """Return the same from an evaluation's `results.csv` and the codecs in its manifest."""
    facts = {(codec.dataset, codec.name): codec for codec in codecs if _has_ratio(codec)}
    found: dict[_Key, list[RatioPoint]] = defaultdict(list)
    for at, points in pooled_results(results_csv).items():
        if metric not in task_class(at.task).METRICS:
            continue
        at_snr = [point for point in points if point.snr_db == snr_db]
        if at_snr and (at.dataset, at.codec) in facts:
            point = _ratio_point(facts[at.dataset, at.codec], at_snr[0])
            found[_Key(at.dataset, at.system, at.channel)].append(point)
    return _curves(found, metric)


def ratio_tables(curves: Sequence[RatioCurve], snr_db: float) -> list[ReportTable]:
    """Return a table per data set: a row per codec, a column per channel."""
    tables: list[ReportTable] = []
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        shown = [curve for curve in curves if curve.dataset == dataset]
        channels = list(dict.fromkeys(curve.channel for curve in shown))
        cells: dict[tuple[float, str, str, str], dict[str, str]] = {}
        for curve in shown:
            for point in curve.points:
                kn = NOTHING if point.bandwidth_ratio is None else f"{point.bandwidth_ratio:.4f}"
                key = point.ratio, curve.title, point.codec, kn
                cells.setdefault(key, {})[curve.channel] = point.found.printed(curve.metric)
        told = any(point.bandwidth_ratio is not None for c in shown for point in c.points)
        rows = [
            [
                f"{ratio:g}",
                *([kn] if told else []),
                system,
                codec,
                *(found.get(name, NOTHING) for name in channels),
            ]
            for (ratio, system, codec, kn), found in sorted(cells.items())
        ]
        kn_head = ["k/n"] if told else []
        tables.append(
            ReportTable(
                title=f"{dataset}: {heading(shown[0].metric, f'at {snr_db:g} dB')}",
                head=[
                    "compression ratio",
                    *kn_head,
                    "system",
                    "codec",
                    *map(channel_title, channels),
                ],
                rows=rows,
            )
        )
    return tables


def _has_ratio(codec: CodecFacts) -> bool:
    """Return whether a codec has a compression ratio, as those of the paper's families do."""
    return codec.compression_ratio is not None


def _ratio_point(codec: CodecFacts, found: CurvePoint) -> RatioPoint:
    assert codec.compression_ratio is not None
    return RatioPoint(
        ratio=codec.compression_ratio,
        codec=codec.name,
        found=found,
        bandwidth_ratio=codec.bandwidth_ratio,
    )


def _curves(found: dict[_Key, list[RatioPoint]], metric: Metric) -> list[RatioCurve]:
    return [
        RatioCurve(
            metric=metric,
            dataset=key.dataset,
            system=key.system,
            channel=key.channel,
            points=sorted(points, key=lambda point: (point.ratio, point.codec)),
        )
        for key, points in found.items()
        if len({point.ratio for point in points}) > 1
    ]
