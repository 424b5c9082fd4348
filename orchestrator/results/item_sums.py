"""The scores of a run by item, where its data sets are at hand; without them a ledger has frames.

A ledger of classification keeps the class that answered each item, and no label: which of them are
right is known only with the data set, as `semcom verify` judges them again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orchestrator.plan.plan import PlannedLink
from orchestrator.results.cluster_sums import ClusterSums
from orchestrator.results.run_folder import StoredRun, open_ledger
from orchestrator.results.summary import PointSummary
from semcom.errors import SemcomError
from semcom.tasks.classification import CORRECT, Classification
from semcom.tasks.score import ITEMS
from semcom.text_shards import AnyShard, open_shard


class Place(NamedTuple):
    """A point of a link, as a run's results name it."""

    link: str
    codec: str
    channel: str
    snr_db: float
    seed: int


def with_items(run: StoredRun, data: Path) -> StoredRun:
    """Return a run whose points have their score by item, as far as labels are at hand.

    Points of other tasks, of absent or other data sets, and of links whose frames meet stay as they
    are. Nothing is repaired: where answers and labels give another score than was recorded, the
    point keeps its frames, and `semcom verify` says what is wrong.
    """
    plan = run.summary.plan
    shards = {
        name: shard
        for name, link in plan.links.items()
        if plan.group_of(name) is None and (shard := _shard_of(link, data)) is not None
    }
    if not shards:
        return run
    right: dict[Place, list[np.ndarray]] = defaultdict(list)
    with open_ledger(run.folder) as ledger:
        for row in ledger.rows():
            shard, task = shards.get(row.link), ledger.task(row.codec)
            if shard is None or not isinstance(task, Classification):
                continue
            labels = shard.references(task, plan.items(row.link, row.frame))
            answers = np.frombuffer(row.answer, dtype="<u2")
            if len(answers) == len(labels):
                spec, codec = plan.points[row.point].spec, plan.codec_at(row.link, row.point)
                place = Place(row.link, codec.name, spec.label, spec.snr_db, spec.seed)
                right[place].append(answers == labels)
    points = [_by_item(point, right, run) for point in run.summary.points]
    return replace(run, summary=replace(run.summary, points=points))


def _by_item(
    point: PointSummary, right: Mapping[Place, Sequence[np.ndarray]], run: StoredRun
) -> PointSummary:
    place = Place(point.link, point.codec, point.channel, point.snr_db, point.seed)
    frames = right.get(place)
    if not frames:
        return point
    hits = np.concatenate(frames).astype(np.int64)
    if len(hits) != point.images or int(hits.sum()) != point.score[CORRECT]:
        return point
    digest = run.summary.plan.links[point.link].dataset_digest
    sums = {ITEMS: np.ones_like(hits), CORRECT: hits}
    return replace(point, clusters=ClusterSums(digest, "item", sums))


def _shard_of(link: PlannedLink, data: Path) -> AnyShard | None:
    """Return the test split of a link as it was planned; None where it is not at hand."""
    try:
        shard = open_shard(data / link.dataset, "test")
    except (SemcomError, OSError, ValueError):
        return None
    return shard if shard.digest == link.dataset_digest else None
