"""The scores of a run by item, if its data sets are available; otherwise by frame.

For classification, a ledger keeps the answered class of each item and no label: which answers are
right is known only with the data set, as in `semcom verify`. For sentences it keeps a digest, so
scores by item also need the kept answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.plan.plan import Plan, PlannedLink
from orchestrator.results.answers import KeptAnswers
from orchestrator.results.cluster_sums import ClusterSums, Counts
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import StoredRun, open_ledger
from orchestrator.results.summary import PointSummary
from semcom.errors import AccountingError, SemcomError, StorageError
from semcom.tasks.classification import CORRECT, Classification
from semcom.tasks.ordered_classification import SYMBOLS, OrderedClassification
from semcom.tasks.score import ITEMS
from semcom.tasks.task import Task
from semcom.tasks.text import Text, bleu_columns, word_lists
from semcom.text_shards import AnyShard, open_shard

BY_CLASS = (Classification, OrderedClassification)  # whose ledgers keep every answer
ByName = dict[str, Counts]  # each sum of a score by item (N,)


class Place(NamedTuple):
    """A point of a link, named as in a run's results."""

    link: str
    codec: str
    channel: str
    snr_db: float
    seed: int


def with_items(run: StoredRun, data: Path) -> StoredRun:
    """Return a run whose points have their scores by item, as far as references are available.

    Points of other tasks, of absent or different data sets and of superposed links stay unchanged,
    and so do sentences without kept answers. Nothing is repaired: if answers and references give a
    score that differs from the recorded one, the point keeps its scores by frame, and `semcom
    verify` reports the error.
    """
    plan = run.summary.plan
    shards = {
        name: shard
        for name, link in plan.links.items()
        if not _is_superposed(plan, name) and (shard := shard_of(link, data)) is not None
    }
    if not shards:
        return run
    found: dict[Place, list[ByName]] = defaultdict(list)
    with open_ledger(run.folder) as ledger:
        kept = KeptAnswers(run.folder, ledger.tasks)
        for row in ledger.rows():
            shard, task = shards.get(row.link), ledger.task(row.codec)
            told = isinstance(task, BY_CLASS) or (isinstance(task, Text) and kept.there)
            if shard is None or task is None or not told:
                continue
            references = shard.references(task, plan.items(row.link, row.frame))
            if (sums := _judged(task, row, references, kept)) is not None:
                spec, codec = plan.points[row.point].spec, plan.codec_at(row.link, row.point)
                place = Place(row.link, codec.name, spec.label, spec.snr_db, spec.seed)
                found[place].append(sums)
    points = [_by_item(point, found, run) for point in run.summary.points]
    return replace(run, summary=replace(run.summary, points=points))


def _judged(task: Task, row: FrameRow, references: Any, kept: KeptAnswers) -> ByName | None:
    """Return the sums of a frame by item; None if its answers are not available."""
    if isinstance(task, Classification):
        answers = np.frombuffer(row.answer, dtype="<u2")
        if len(answers) != len(references):
            return None
        hits = (answers == references).astype(np.int64)
        return {ITEMS: np.ones_like(hits), CORRECT: hits}
    if isinstance(task, OrderedClassification):
        return _ordered(task, task.form.parse(row.answer, row.images), references)
    assert isinstance(task, Text)
    try:
        answered = word_lists(kept.parse(row))
    except (AccountingError, StorageError):
        return None
    judged = bleu_columns(answered, word_lists(references.tokens_NL))
    return {name: np.array(each, np.int64) for name, each in judged.items()}


def _ordered(
    task: OrderedClassification, answers_N2: npt.NDArray[Any], references: Any
) -> ByName | None:
    if len(answers_N2) != len(references):
        return None
    hits = (answers_N2[:, 0] == references).astype(np.int64)
    symbols_N = np.array(task.lengths, dtype=np.int64)[answers_N2[:, 1].astype(np.int64) - 1]
    return {
        ITEMS: np.ones_like(hits),
        CORRECT: hits,
        SYMBOLS: symbols_N,
        f"{SYMBOLS}_squares": np.square(symbols_N),
    }


def _by_item(
    point: PointSummary, found: Mapping[Place, list[ByName]], run: StoredRun
) -> PointSummary:
    frames = found.get(Place(point.link, point.codec, point.channel, point.snr_db, point.seed))
    if not frames:
        return point
    link = run.summary.plan.links[point.link]
    # Links of a group begin with different items; clusters with the same number are the same item.
    sums = {
        name: np.roll(np.concatenate([each[name] for each in frames]), link.offset)
        for name in frames[0]
    }
    by_item = ClusterSums(link.dataset_digest, "item", sums)
    told = {name: point.score[name] for name in sums}
    return replace(point, clusters=by_item) if by_item.total == told else point


def _is_superposed(plan: Plan, link: str) -> bool:
    group = plan.group_of(link)
    return group is not None and group.kind == "superposition"


def shard_of(link: PlannedLink, data: Path) -> AnyShard | None:
    """Return the planned test split of a link; None if it is not available."""
    try:
        shard = open_shard(data / link.dataset, "test")
    except (SemcomError, OSError, ValueError):
        return None
    return shard if shard.digest == link.dataset_digest else None
