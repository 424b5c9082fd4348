"""Systems at equal energy and at equal symbols: one Es/N0 is not one price.

A codec of K symbols spends K Es on an item: against noise of density N0 that is Es/N0 + 10 log10 K
in dB. Two codecs at one Es/N0 differ in it by the ratio of their symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log10

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.comparison import SystemCurve, facts_of
from orchestrator.reports.curves import CurvePoint, channel_title
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric

ENERGY = "$E_\\mathrm{item}/N_0 = K E_s/N_0$ (dB)"
ALIKE = 1.15  # symbols of codecs that are compared at equal symbols differ by no more


def energy_db(snr_db: float, symbols: int) -> float:
    """Return the energy of an item over the noise density, in dB."""
    return snr_db + 10.0 * log10(symbols)


def energy_curves(curves: Sequence[SystemCurve], runs: Sequence[StoredRun]) -> list[SystemCurve]:
    """Return curves against energy per item; their SNRs stand for it.

    Of data sets where all codecs have as many symbols there are none: nothing would differ.
    """
    facts = facts_of(runs)
    told = [curve for curve in curves if curve.digest in facts]
    return [
        replace(
            curve,
            points=[
                replace(point, snr_db=energy_db(point.snr_db, facts[curve.digest].symbols))
                for point in curve.points
            ],
        )
        for curve in told
        if len({facts[c.digest].symbols for c in told if c.dataset == curve.dataset}) > 1
    ]


def energy_tables(curves: Sequence[SystemCurve]) -> list[ReportTable]:
    """Return a table per data set and channel of curves against energy.

    Rows are the points of the first codec; the others are read between their points.
    """
    tables: list[ReportTable] = []
    for dataset, channel in dict.fromkeys((curve.dataset, curve.channel) for curve in curves):
        shown = [c for c in curves if (c.dataset, c.channel) == (dataset, channel)]
        if len(shown) < 2:
            continue
        metric = shown[0].metric
        rows = [
            [
                f"{point.snr_db:.1f}",
                metric.number(metric.value(point.score)),
                *(
                    value_at([(p.snr_db, p) for p in other.points], point.snr_db, metric)
                    for other in shown[1:]
                ),
            ]
            for point in shown[0].points
        ]
        tables.append(
            ReportTable(
                title=f"{dataset}, {channel_title(channel)}: {heading(metric)} at equal energy",
                head=["energy per item over N0 (dB)", *(curve.series for curve in shown)],
                rows=rows,
                note="Energy per item: Es/N0 + 10 log10 K. Rows are the points of the first "
                "codec; those of the others are interpolated between their own.",
            )
        )
    return tables


def value_at(points: Sequence[tuple[float, CurvePoint]], energy: float, metric: Metric) -> str:
    """Return a value between two neighbouring points, by rising energy; nothing beyond the last.

    Args:
        points: energy in dB and result.
        energy: where to read, in dB.
        metric: which value.
    """
    for (low, first), (high, second) in pairwise(points):
        if low <= energy <= high:
            values = [metric.value(point.score) for point in (first, second)]
            share = (energy - low) / (high - low)
            return metric.number(values[0] + share * (values[1] - values[0]))
    return NOTHING


def equal_symbols_tables(
    curves: Sequence[SystemCurve], runs: Sequence[StoredRun]
) -> list[ReportTable]:
    """Return a table per data set and channel of the systems that send about as many symbols."""
    facts = facts_of(runs)
    tables: list[ReportTable] = []
    for dataset, channel in dict.fromkeys((curve.dataset, curve.channel) for curve in curves):
        shown = [
            c for c in curves if (c.dataset, c.channel) == (dataset, channel) and c.digest in facts
        ]
        for group in _alike(shown, facts):
            metric = group[0].metric
            columns = [curve.cells for curve in group]
            rows = [
                [f"{snr_db:g}", *(column.get(snr_db, NOTHING) for column in columns)]
                for snr_db in sorted({snr_db for column in columns for snr_db in column})
            ]
            heads = [f"{c.series} ({facts[c.digest].symbols} symbols)" for c in group]
            tables.append(
                ReportTable(
                    title=f"{dataset}, {channel_title(channel)}: {heading(metric)} "
                    "at equal symbols",
                    head=["Es/N0 (dB)", *heads],
                    rows=rows,
                    note="Codecs of several systems whose symbols differ by "
                    f"{100 * (ALIKE - 1):.0f} % at most.",
                )
            )
    return tables


def _alike(curves: Sequence[SystemCurve], facts: dict[str, CodecFacts]) -> list[list[SystemCurve]]:
    """Return groups of codecs of several systems, each with about the symbols of its first one."""
    left = sorted(curves, key=lambda curve: facts[curve.digest].symbols)
    groups: list[list[SystemCurve]] = []
    while left:
        most = facts[left[0].digest].symbols * ALIKE
        group = [curve for curve in left if facts[curve.digest].symbols <= most]
        left = left[len(group) :]
        if len({curve.system for curve in group}) > 1:
            groups.append([curve for curve in curves if curve in group])
    return groups
