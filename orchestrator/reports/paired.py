"""Systems compared item by item on common draws: McNemar's test, clustered where items repeat.

A ledger keeps the class that answered each item, and no label: with the data set at hand the two
counts of McNemar are known. Without it, whole frames are compared: the same difference and a valid
interval, but no counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.reports.clustered import PairedDifference, paired_difference
from orchestrator.reports.comparison import (
    Draw,
    distinct_points,
    facts_of,
    labels_of,
    member_labels,
    member_order,
)
from orchestrator.reports.curves import channel_title
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
    """Return a table per data set: its first codec against each other one, by channel and SNR."""
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
                        f"{labels[first][0]} less {labels[other][0]}",
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
    """Yield channel, SNR and difference where both met the same draws."""
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
        if len(sides[0]) == len(draws) and (found := paired_difference(metric.of, *sides)):
            yield channel, snr_db, found


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
        "is one draw, whatever the seeds (with one seed, McNemar's test). Common: what else both "
        "met alike; codewords of other lengths have other noise."
    )
    if "frame" in kinds:
        text += (
            " A ledger has no labels: without the data set, whole frames are compared, and the "
            "counts are not known; name its folder with --data."
        )
    return text
