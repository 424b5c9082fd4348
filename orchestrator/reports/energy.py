"""Systems at equal energy and at equal symbols, because equal Es/N0 does not mean equal cost.

A codec of K symbols spends K Es on an item: against noise of density N0 that is Es/N0 + 10 log10 K
in dB. Two codecs at one Es/N0 differ in it by the ratio of their symbols. U superposed users share
the K symbols and the energy of a slot, so that an item of each takes K / U symbols.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log10

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import SystemCurve, facts_of
from orchestrator.reports.curves import CurvePoint
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric
from semcom.tasks.ordered_classification import SYMBOLS
from semcom.tasks.score import ITEMS

ENERGY = "$E_\\mathrm{item}/N_0 = K E_s/N_0$ (dB)"
ENERGY_SHARED = "$E_\\mathrm{item}/N_0 = K E_s/(U N_0)$ (dB)"
ALIKE = 1.15  # symbols of codecs that are compared at equal symbols differ by no more


def users_of(runs: Sequence[StoredRun]) -> dict[str, int]:
    """Return how many superposed users share the symbols of a codec, by digest; those alone lack.

    Users of unequal power share the energy in the mean alone.
    """
    return {
        codec.digest: len(group.links)
        for run in runs
        for group in run.summary.plan.groups.values()
        if group.received_together > 1
        for link in group.links
        for codec in run.summary.plan.links[link].codecs
    }


def energy_db(snr_db: float, symbols: float) -> float:
    """Return the energy of an item over the noise density, in dB."""
    return snr_db + 10.0 * log10(symbols)


def symbols_at(point: CurvePoint, codec: CodecFacts, users: int = 1) -> float:
    """Return the mean symbols of an item: all of the codec's, unless its score counts them.

    `users` share them.
    """
    counted = point.score.get(SYMBOLS)
    return (float(codec.symbols) if counted is None else counted / point.score[ITEMS]) / users


def symbols_of(curve: SystemCurve, codec: CodecFacts, users: int = 1) -> float | None:
    """Return the symbols of an item where they are the same at all points of a curve, else None."""
    found = {symbols_at(point, codec, users) for point in curve.points}
    return found.pop() if len(found) == 1 else None


def energy_curves(curves: Sequence[SystemCurve], runs: Sequence[StoredRun]) -> list[SystemCurve]:
    """Return curves against energy per item, which replaces their SNRs.

    Of ordered codewords only the symbols that are sent count. Of data sets where all codecs send as
    many symbols there are none: nothing would differ.
    """
    facts, users = facts_of(runs), users_of(runs)
    told = [curve for curve in curves if curve.digest in facts]
    by_energy: list[SystemCurve] = []
    sent: dict[str, set[float]] = defaultdict(set)
    for curve in told:
        codec, together = facts[curve.digest], users.get(curve.digest, 1)
        symbols = [symbols_at(each, codec, together) for each in curve.points]
        sent[curve.dataset] |= set(symbols)
        points = [
            replace(point, snr_db=energy_db(point.snr_db, own))
            for point, own in zip(curve.points, symbols, strict=True)
        ]
        by_energy.append(replace(curve, points=sorted(points, key=lambda point: point.snr_db)))
    return [curve for curve in by_energy if len(sent[curve.dataset]) > 1]


def energy_tables(curves: Sequence[SystemCurve]) -> list[ReportTable]:
    """Return a table per data set and channel of curves against energy.

    Rows are the points of the first codec; the others are interpolated.
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
                note="Energy per item: Es/N0 + 10 log10 K, with K / U for K where U superposed "
                "users share the symbols. Rows are the points of the first codec; those of the "
                "others are interpolated between their own.",
            )
        )
    return tables


def value_at(points: Sequence[tuple[float, CurvePoint]], energy: float, metric: Metric) -> str:
    """Return a value interpolated between two neighbouring points; nothing outside their range.

    Args:
        points: energy in dB and result, ascending.
        energy: position in dB.
        metric: metric of the value.
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
    facts, users = facts_of(runs), users_of(runs)
    symbols: dict[int, float] = {}
    for curve in curves:
        if curve.digest in facts:
            found = symbols_of(curve, facts[curve.digest], users.get(curve.digest, 1))
            if found is not None:
                symbols[id(curve)] = found
    tables: list[ReportTable] = []
    for dataset, channel in dict.fromkeys((curve.dataset, curve.channel) for curve in curves):
        shown = [
            c for c in curves if (c.dataset, c.channel) == (dataset, channel) and id(c) in symbols
        ]
        for group in _alike(shown, symbols):
            metric = group[0].metric
            columns = [curve.cells for curve in group]
            rows = [
                [f"{snr_db:g}", *(column.get(snr_db, NOTHING) for column in columns)]
                for snr_db in sorted({snr_db for column in columns for snr_db in column})
            ]
            heads = [
                f"{c.series} ({_stated(symbols[id(c)], users.get(c.digest, 1))})" for c in group
            ]
            tables.append(
                ReportTable(
                    title=f"{dataset}, {channel_title(channel)}: {heading(metric)} "
                    "at equal symbols",
                    head=["Es/N0 (dB)", *heads],
                    rows=rows,
                    note="Codecs of several systems whose symbols differ by at most "
                    f"{100 * (ALIKE - 1):.0f} % per item.",
                )
            )
    return tables


def _stated(symbols: float, together: int) -> str:
    """Return how many symbols a codec has, and how many users share them."""
    shared = f" for {together} users" if together > 1 else ""
    return f"{symbols * together:g} symbols{shared}"


def _alike(curves: Sequence[SystemCurve], symbols: Mapping[int, float]) -> list[list[SystemCurve]]:
    """Return groups of codecs of several systems, each with about the symbols of its first one."""
    left = sorted(curves, key=lambda curve: symbols[id(curve)])
    groups: list[list[SystemCurve]] = []
    while left:
        most = symbols[id(left[0])] * ALIKE
        group = [curve for curve in left if symbols[id(curve)] <= most]
        left = left[len(group) :]
        if len({curve.system for curve in group}) > 1:
            groups.append([curve for curve in curves if curve in group])
    return groups
