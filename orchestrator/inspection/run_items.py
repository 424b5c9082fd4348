"""`semcom inspect`: choose items of a run and recompute their answers at every SNR.

Shape legend: N items, P points by ascending SNR.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.inspection.choice import ItemCurve, Wanted, choose_curve
from orchestrator.inspection.items import Item, ItemAnswer, confidence_of
from orchestrator.inspection.ranking import Order, Which, ranked
from orchestrator.inspection.recompute import (
    Arrays,
    Computing,
    Encoding,
    Recomputed,
    Recorded,
    recompute,
)
from orchestrator.inspection.values import scores_of, values_in_ledger, values_of
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.results.run_folder import open_ledger, read_run
from semcom.errors import ConfigurationError
from semcom.shards import Span
from semcom.tasks.classification import Classification
from semcom.tasks.task import Task
from semcom.tasks.text import word_lists
from semcom.text_shards import AnyShard, TextShard, open_shard

AMONG = 200  # number of items ranked if they have to be computed for it
ANY, WORST = Wanted(), Which()


@dataclass(frozen=True, kw_only=True)
class Look:
    """Inspected items, and their agreement with the ledger.

    Attributes:
        run: name of the run.
        curve: the inspected curve.
        dataset: name of the data set.
        classes: names of its classes; empty if there are none.
        task: task of the codec.
        items: items in ranked order.
        by: order of the ranking.
        among: number of ranked items, of `sent`.
        sent: number of items that the link sent.
        throughput: whether receivers merged frames, so that rounding may differ.
        compared: number of frames recomputed and compared with the ledger.
        differing: a line for each frame that differs from the ledger.
        missing: number of frames that the ledger does not have.
    """

    run: str
    curve: ItemCurve
    dataset: str
    classes: tuple[str, ...]
    task: Task
    items: tuple[Item, ...]
    by: Order
    among: int
    sent: int
    throughput: bool
    compared: int
    differing: tuple[str, ...]
    missing: int

    def agreement(self) -> str:
        """Return in one line whether the recomputed frames agree with the ledger."""
        if self.differing:
            why = "; its receivers merged frames, which changes rounding" if self.throughput else ""
            return (
                f"{len(self.differing)} of {self.compared} frames differ from the ledger{why}; "
                f"first: {self.differing[0]}"
            )
        left = f", {self.missing} are not in it" if self.missing else ""
        return f"{self.compared} frames recomputed, all equal to the ledger{left}"


def inspect_run(
    folder: Path,
    wanted: Wanted = ANY,
    *,
    folders: Folders,
    which: Which = WORST,
    encoding: Encoding = lambda *_: None,
) -> Look:
    """Inspect items of a run.

    Args:
        folder: folder of the run or evaluation.
        wanted: names of the curve.
        folders: folders of data sets and codecs.
        which: choice of items.
        encoding: called with the number of encoded items.

    Raises:
        ConfigurationError: the run has no such curve or item, or its data set is missing.
        SemcomError: as for an evaluation.
    """
    read_run(folder)  # its ledger is unchanged
    with open_ledger(folder) as ledger:
        plan, tasks = ledger.plan, ledger.tasks
        curve = choose_curve(plan, wanted)
        group = plan.group_of(curve.link)
        links = {curve.link} if group is None else set(group.links)
        recorded: Recorded = {
            (row.link, row.point, row.frame): row
            for row in ledger.rows()
            if row.link in links and row.point in curve.points
        }
    link = plan.links[curve.link]
    shard = planned_shard(folders.data / link.dataset, link.dataset_digest)
    task = tasks.get(curve.codec.digest) or Classification(classes=len(shard.manifest.classes))
    compute = partial(
        recompute,
        plan,
        curve,
        folders=folders,
        recorded=recorded,
        computing=Computing(encoding=encoding),
    )
    found: list[Recomputed] = []
    items, ranking = which.items, 0
    if not items:
        most = link.images if which.among is None else min(which.among, link.images)
        known = values_in_ledger(plan, curve, recorded, task, shard, items=most)
        if known is None:
            first = range(most if which.among else min(most, AMONG))
            found.append(compute(first, detail="scores"))
            known = first, values_of([found[0].arrays[each] for each in curve.points], task)
        numbers, values_NP = known
        ranking = len(numbers)
        items = [
            numbers[row] for row in ranked(values_NP, task.METRICS[0], which.by)[: which.count]
        ]
    shown = compute(items, detail=which.detail)
    found.append(shown)
    return Look(
        run=folder.resolve().name,
        curve=curve,
        dataset=link.dataset,
        classes=tuple(shard.manifest.classes),
        task=task,
        items=tuple(items_of(shown, plan, curve, task, shard)),
        by=which.by,
        among=ranking,
        sent=link.images,
        throughput=plan.decoding == "throughput",
        compared=sum(each.compared for each in found),
        differing=tuple(line for each in found for line in each.differing),
        missing=sum(each.missing for each in found),
    )


def planned_shard(root: Path, digest: str) -> AnyShard:
    """Return the items of a data set.

    Raises:
        ConfigurationError: it is missing, or is not the planned one.
    """
    shard = open_shard(root, "test")
    if shard.digest != digest:
        raise ConfigurationError(f"data set {root} is not the one of the run")
    return shard


def items_of(
    found: Recomputed, plan: Plan, curve: ItemCurve, task: Task, shard: AnyShard
) -> Iterator[Item]:
    """Yield recomputed items with their answers."""
    link = plan.links[curve.link]
    places = [(point, plan.points[point].spec.snr_db) for point in curve.points]
    for row, number in enumerate(found.items):
        index = (number + link.offset) % link.images
        span = Span(index, 1, of=link.images)
        content = span.cut(shard.items)[0]
        label = _label(shard, index)
        yield Item(
            number=number,
            index=index,
            content=content,
            text=_text(shard, content if label is None else np.array(label)),
            label=label,
            answers=tuple(
                _answer(place, found.arrays[place[0]], row, task=task, shard=shard)
                for place in places
            ),
        )


def _answer(
    place: tuple[int, float], arrays: Arrays, row: int, *, task: Task, shard: AnyShard
) -> ItemAnswer:
    (point, snr_db), answer = place, arrays["answers"][row]
    score = scores_of(task, arrays["scores"][row])
    exact = {"labels": "correct", "sentences": "exact"}.get(task.REFERENCE)
    used = slice(int(arrays["used"][row]))
    equalized, outputs = arrays.get("equalized"), arrays["outputs"][row]
    return ItemAnswer(
        point=point,
        snr_db=snr_db,
        score=score,
        values={metric.name: metric.value(score) for metric in task.METRICS},
        answer=answer,
        text=None if task.REFERENCE == "items" else _text(shard, answer),
        right=None if exact is None else bool(score[exact]),
        outputs=outputs,
        sent=arrays["sent"][row][used],
        received=arrays["received"][row][used],
        csi=_row(arrays.get("csi"), row),
        equalized=None if equalized is None else equalized[row][used],
        feature_sent=_row(arrays.get("feature_sent"), row),
        feature_recovered=_row(arrays.get("feature_recovered"), row),
        confidence=confidence_of(outputs) if task.REFERENCE == "labels" else None,
    )


def _label(shard: AnyShard, index: int) -> int | None:
    if isinstance(shard, TextShard) or not shard.manifest.classes:
        return None
    return int(shard.labels_N[index])


def _text(shard: AnyShard, content: npt.NDArray[Any]) -> str | None:
    """Return a sentence, or the name of a class; None for an image."""
    if isinstance(shard, TextShard):
        return shard.vocabulary.text(word_lists(content[None])[0])
    if content.ndim > 1:
        return None
    names, number = shard.manifest.classes, int(content.flat[0])  # the class comes first
    return names[number] if number < len(names) else str(number)


def _row(array: npt.NDArray[Any] | None, row: int) -> npt.NDArray[Any] | None:
    return None if array is None else array[row]
