"""The main metric of single items, used for ranking.

Shape legend: N items, P points by ascending SNR.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.inspection.choice import ItemCurve
from orchestrator.inspection.ranking import Values
from orchestrator.inspection.recompute import Arrays, Recorded
from orchestrator.plan.plan import Plan
from semcom.tasks.score import Score
from semcom.tasks.task import Task
from semcom.text_shards import AnyShard

Numbers = Sequence[int]


def values_in_ledger(
    plan: Plan, curve: ItemCurve, recorded: Recorded, task: Task, shard: AnyShard, *, items: int
) -> tuple[Numbers, Values] | None:
    """Return which of the first items have answers at all points, and their values (N, P).

    None if the ledger keeps no answers, or no item has answers at all points.
    """
    numbers: list[int] = []
    parts: list[list[list[float]]] = []
    for frame in range(-(-items // plan.frame_images)):
        rows = [recorded.get((curve.link, point, frame)) for point in curve.points]
        references = shard.references(task, plan.items(curve.link, frame))
        by_point: list[list[float]] = []
        for row in rows:
            if row is None:
                break
            if task.rejudge(row.answer, references) is None:
                return None
            answers = task.form.parse(row.answer, row.images)
            by_point.append(_values(task, answers, references))
        else:
            first = frame * plan.frame_images
            numbers += range(first, first + len(by_point[0]))
            parts.append(by_point)
    if not parts:
        return None
    values_NP = np.concatenate([np.array(part).T for part in parts])[:items]
    return numbers[:items], values_NP


def values_of(arrays: Sequence[Arrays], task: Task) -> Values:
    """Return the values (N, P) of items whose scores were recomputed, from the arrays of points."""
    columns = [[_main(task, scores_of(task, row)) for row in each["scores"]] for each in arrays]
    found: Values = np.array(columns, dtype=np.float64).T
    return found


def scores_of(task: Task, sums: npt.NDArray[Any]) -> Score:
    """Return the score of an item from its sums in the order of the task."""
    return dict(zip(task.SUMS, sums.tolist(), strict=True))


def _values(task: Task, answers: npt.NDArray[Any], references: Any) -> list[float]:
    rows = (slice(row, row + 1) for row in range(len(answers)))
    return [_main(task, task.judge(answers[row], references[row])) for row in rows]


def _main(task: Task, score: Score) -> float:
    return task.METRICS[0].value(score)
