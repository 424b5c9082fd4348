"""Compare systems item by item on common draws: McNemar's test, clustered if items repeat.

A ledger has the class answered for each item, but no labels: with the data set, the two counts of
McNemar's test are known. Without it, complete frames are compared: this gives the same difference
and a valid interval, but no counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.clustered import PairedDifference, cluster_totals, paired_difference
from orchestrator.reports.comparison import (
    Draw,
    distinct_points,
    facts_of,
    labels_of,
    member_labels,
    member_order,
)
from orchestrator.reports.markup import NOTHING, count
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.tables import ReportTable
from orchestrator.results.cluster_sums import ClusterSums
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric

SMALLEST_P = 1e-4
HEAD = [
    "systems", "channel", "Es/N0 (dB)", "difference", "only the first right",
    "only the second right", "p", "common",
]  # fmt: skip
Points = Mapping[Draw, PointSummary]


def paired_tables(runs: Sequence[StoredRun], metric: Metric) -> list[ReportTable]:
    """Return a table per data set: the first codec against each other one, by channel and SNR."""
    if metric.of is None:
        return []
    found, facts = distinct_points(runs, metric), facts_of(runs)
    labels = member_labels(found.keys(), facts, labels_of(runs))
    ordered = sorted(found, key=lambda member: member_order(member, labels))
    tables: list[ReportTable] = []
    for dataset in dict.fromkeys(member.dataset for member in found):
        first, *others = [member for member in ordered if member.dataset == dataset]
        rows: list[list[str]] = []
        kinds: set[str] = set()
        for other in others:
            both = [facts[each.digest].symbols for each in (first, other) if each.digest in facts]
            same = len(both) == 2 and both[0] == both[1]
            for channel, snr_db, difference in _differences(found[first], found[other], metric):
                kinds.add(difference.kind)
                rows.append(
                    [
                        f"{labels[first][0]} minus {labels[other][0]}",
                        channel_title(channel),
                        f"{snr_db:g}",
                        *_cells(difference, metric),
                        "fading and noise" if same else "fading",
                    ]
                )
        if rows:
            title = f"{dataset}: {heading(metric)}, paired by item"
            tables.append(ReportTable(title=title, head=HEAD, rows=rows, note=_note(kinds)))
    return tables


def _differences(
    one: Points, other: Points, metric: Metric
) -> Iterator[tuple[str, float, PairedDifference]]:
    """Yield channel, SNR and difference of points with the same draws."""
    assert metric.of is not None
    common: dict[tuple[str, float], list[Draw]] = defaultdict(list)
    for draw in one:
        if draw in other:
            common[draw.channel, draw.snr_db].append(draw)
    for (channel, snr_db), draws in sorted(common.items(), key=lambda item: item[0]):
        sides: list[list[ClusterSums]] = []
        for points in (one, other):
            clusters = [points[draw].clusters for draw in draws]
            sides.append([each for each in clusters if each is not None])
        told = len(sides[0]) == len(sides[1]) == len(draws)
        if told and (found := difference_over(metric.of, *sides)):
            yield channel, snr_db, found


def ratio_over(
    of: str, one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> tuple[float, float] | None:
    """Return the ratio of two means over the same items and its standard error (delta method).

    Points that begin with other items are separate parts, as in `difference_over`.
    """
    parts = _parts(one, other)
    totals = [cluster_totals(side, of) for part in parts for side in part]
    if not totals or any(each is None for each in totals):
        return None
    pairs = [(a[0], b[0]) for a, b in zip(totals[::2], totals[1::2], strict=True) if a and b]
    whole = sum(float(other_C.sum()) for _, other_C in pairs)
    if not whole:
        return None
    ratio = sum(float(one_C.sum()) for one_C, _ in pairs) / whole
    error = 0.0
    for one_C, other_C in pairs:
        residuals = one_C - ratio * other_C
        residuals -= residuals.mean()
        error += sqrt(len(residuals) / (len(residuals) - 1) * float((residuals**2).sum()))
    return ratio, error / whole


def _parts(
    one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> list[tuple[list[ClusterSums], list[ClusterSums]]]:
    """Return points of two systems, grouped by their first item."""
    if len(one) != len(other) or not all(a.is_like(b) for a, b in zip(one, other, strict=True)):
        return []
    return [
        ([each for each in one if each.first == first], [b for b in other if b.first == first])
        for first in sorted({each.first for each in one})
    ]


def difference_over(
    of: str, one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> PairedDifference | None:
    """Return the difference of two systems over points that may begin with different items.

    Frames of links of a group have the same items, split differently: each link is compared
    separately, and errors are added as if all links agreed, which gives the widest interval.
    """
    if (found := paired_difference(of, one, other)) is not None:
        return found
    parts: list[tuple[int, PairedDifference]] = []  # items, and their difference
    for sides in _parts(one, other):
        if (part := paired_difference(of, *sides)) is None:
            return None
        parts.append((sum(int(each.items.sum()) for each in sides[0]), part))
    if not parts:
        return None
    items = sum(count for count, _ in parts)
    return PairedDifference(
        value=sum(count * part.value for count, part in parts) / items,
        error=sum(count * part.error for count, part in parts) / items,
        kind=parts[0][1].kind,
        clusters=min(part.clusters for _, part in parts),
        only_one=None,
        only_other=None,
    )


def _cells(difference: PairedDifference, metric: Metric) -> list[str]:
    scale = metric.scale * metric.step
    value, (low, high) = difference.value, difference.interval
    p = difference.p
    counts = (difference.only_one, difference.only_other)
    return [
        f"{scale * value:+.2f} ({scale * low:+.2f} to {scale * high:+.2f})",
        *(NOTHING if each is None else count(each) for each in counts),
        f"below {SMALLEST_P:g}" if p < SMALLEST_P else f"{p:.2g}",
    ]


def _note(kinds: set[str]) -> str:
    text = (
        "Differences in points with 95 % intervals, on the same items and channel seeds; each item "
        "is one draw, whatever the number of seeds (with one seed, McNemar's test). Common: "
        "what else both had in common; codewords of different lengths have different noise."
    )
    if "frame" in kinds:
        text += (
            " A ledger has no labels: without the data set, complete frames are compared, and the "
            "counts are not known; name its folder with --data."
        )
    return text
