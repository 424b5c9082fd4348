"""Comparison of systems: curves of a metric (Fig. 6).

Runs and evaluations are combined. Duplicates (the same codec, items, link, channel condition and
seed) have the same answers and are counted once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import ValidationError

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import PlannedCodec
from orchestrator.reports.curves import Curve, CurvePoint, at_rate, joined, pooled_points
from orchestrator.reports.system_titles import system_title, titles
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric

# Which curve a point belongs to (label of its channel), and where on it; None: to none.
Placing = Callable[[PointSummary], tuple[str, float] | None]


class Draw(NamedTuple):
    """The settings that determine the answers of a point."""

    dataset_digest: str
    link: str
    channel: str
    snr_db: float
    seed: int


class Member(NamedTuple):
    """A codec on a data set, at one of its rates."""

    dataset: str
    system: str
    codec: str
    digest: str
    rate: str = ""  # of ordered codewords


@dataclass(frozen=True, kw_only=True)
class SystemCurve(Curve):
    """A curve of one codec, named by its system and no more than needed to distinguish it.

    `shade` is 0 if a system has one codec on a data set; several range from -1 to 1, and `rank`
    counts them.
    """

    system: str
    codec: str = ""
    digest: str
    shade: float
    rank: int


def system_curves(runs: Sequence[StoredRun], metric: Metric) -> list[SystemCurve]:
    """Return a curve per data set, codec and channel, with items of all seeds and links pooled.

    Codecs whose task lacks the metric have none.
    """
    return placed_curves(runs, metric, _against_snr)


def placed_curves(runs: Sequence[StoredRun], metric: Metric, placing: Placing) -> list[SystemCurve]:
    """Return `system_curves` against any axis, whose values replace the SNRs of the points."""
    found = distinct_points(runs, metric)
    labels = member_labels(found.keys(), facts_of(runs), labels_of(runs))
    curves: list[SystemCurve] = []
    for member in sorted(found, key=lambda member: member_order(member, labels)):
        by_channel: dict[str, dict[float, list[PointSummary]]] = defaultdict(dict)
        for point in found[member].values():
            if (place := placing(point)) is not None:
                by_channel[place[0]].setdefault(place[1], []).append(point)
        label, shade, rank = labels[member]
        curves += [
            SystemCurve(
                task=next(iter(places.values()))[0].task.kind,
                metric=metric,
                dataset=member.dataset,
                series=label,
                channel=channel,
                seeds=len({point.seed for points in places.values() for point in points}),
                points=[_pooled_at(x, places[x]) for x in sorted(places)],
                gaps_db=[],
                system=member.system,
                codec=member.codec,
                digest=member.digest,
                shade=shade,
                rank=rank,
            )
            for channel, places in by_channel.items()
        ]
    datasets = list(dict.fromkeys(member.dataset for member in found))
    return sorted(curves, key=lambda curve: datasets.index(curve.dataset))


def facts_of(runs: Sequence[StoredRun]) -> dict[str, CodecFacts]:
    """Return the facts about codecs from manifests, by digest; older manifests have none."""
    facts: dict[str, CodecFacts] = {}
    for run in runs:
        codecs = run.manifest.get("codecs")
        for content in codecs if isinstance(codecs, list) else []:
            try:
                codec = CodecFacts.model_validate(content)
            except ValidationError:
                continue
            facts.setdefault(codec.digest, codec)
    return facts


def distinct_points(
    runs: Sequence[StoredRun], metric: Metric
) -> dict[Member, dict[Draw, PointSummary]]:
    """Points that have a metric, by codec; of duplicates, the one with more images."""
    found: dict[Member, dict[Draw, PointSummary]] = {}
    for run in runs:
        links = run.summary.plan.links
        codecs: dict[tuple[str, str], PlannedCodec] = {
            (name, codec.name): codec for name, link in links.items() for codec in link.codecs
        }
        for point in run.summary.points:
            if metric not in point.task.METRICS:
                continue
            codec, link = codecs[point.link, point.codec], links[point.link]
            rate, channel = at_rate("", point.channel, point.rate)
            member = Member(point.dataset, point.system, point.codec, codec.digest, rate)
            draw = Draw(link.dataset_digest, point.link, channel, point.snr_db, point.seed)
            known = found.setdefault(member, {}).get(draw)
            if known is None or known.images < point.images:
                found[member][draw] = point
    return found


def labels_of(runs: Sequence[StoredRun]) -> dict[str, str]:
    """Return the user's names of systems and codecs by their original names."""
    return {name: label for run in runs for name, label in run.labels.items()}


def member_labels(
    members: Iterable[Member], facts: dict[str, CodecFacts], chosen: Mapping[str, str]
) -> dict[Member, tuple[str, float, int]]:
    """Name, shade and rank of each codec: its system, with its ratio or name if there are more."""
    groups: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        groups[member.dataset, member.system].append(member)
    labels: dict[Member, tuple[str, float, int]] = {}
    for (_, system), group in groups.items():
        known = {m: facts[m.digest].compression_ratio for m in group if m.digest in facts}
        ratios = {m: ratio for m, ratio in known.items() if ratio is not None}
        apart = len(set(ratios.values())) == len(group)
        if apart:
            group.sort(key=lambda member: ratios[member])
        for index, member in enumerate(group):
            label = system_title(system, chosen)
            if member.codec in chosen:
                label = chosen[member.codec]
            elif len({each.digest for each in group}) > 1:
                label = f"{label}, ratio {ratios[member]:g}" if apart else _name(member, group)
            label = joined(label, member.rate)
            shade = 2 * index / (len(group) - 1) - 1 if len(group) > 1 else 0.0
            labels[member] = label, shade, index
    return labels


def member_order(member: Member, labels: dict[Member, tuple[str, float, int]]) -> tuple[int, float]:
    """Return the sort key of members: the paper's systems first, then by shade."""
    return _rank(member.system), labels[member][1]


def _name(member: Member, group: Sequence[Member]) -> str:
    """The codec's name; two codecs with one name are distinguished by their digests."""
    alike = {other.digest for other in group if other.codec == member.codec}
    return f"{member.codec} {member.digest[:6]}" if len(alike) > 1 else member.codec


def _rank(system: str) -> int:
    known = list(titles())
    return known.index(system) if system in known else len(known)


def _against_snr(point: PointSummary) -> tuple[str, float]:
    return at_rate("", point.channel, point.rate)[1], point.snr_db


def _pooled_at(x: float, points: Sequence[PointSummary]) -> CurvePoint:
    """Return pooled points at one position of an axis."""
    (pooled,) = pooled_points(points)
    return replace(pooled, snr_db=x)
