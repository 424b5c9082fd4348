"""Columns of a task in tables of results, from which scores can be read and pooled exactly.

A task has a column `sum_NAME` for each sum of its scores except `items`, and three columns `NAME`,
`NAME_ci95_low` and `NAME_ci95_high` for each of its metrics. A task may choose other names.

Tables have a column `images` with the number of items of a score. In tables of tasks other than
classification, the column `task` names the task of a row.
"""

from __future__ import annotations

from collections.abc import Mapping

from semcom.tasks.registry import task_class
from semcom.tasks.score import ITEMS, Score
from semcom.tasks.task import Task

TASK, IMAGES = "task", "images"
# Task of tables without the column `task`, the only one in earlier versions.
EARLIEST = "classification"
MIN_DIGITS = 6  # decimals


def columns(task: Task | type[Task]) -> tuple[str, ...]:
    """Return the names of a task's columns: its sums, then its metrics with their intervals."""
    sums = [_sum(name) for name in task.SUMS if name != ITEMS]
    metrics = [name for metric in task.METRICS for name in _three(metric.name)]
    return tuple(task.COLUMN_NAMES.get(name, name) for name in (*sums, *metrics))


def cells(task: Task | type[Task], score: Score) -> dict[str, str]:
    """Return the cells of a score by the names of their columns.

    Metrics have a fixed number of digits, so that the last bit of a float is never visible.
    """
    texts = [str(score[name]) for name in task.SUMS if name != ITEMS]
    for metric in task.METRICS:
        digits = max(MIN_DIGITS, metric.digits + 2)
        numbers = metric.value(score), *metric.interval(score)
        texts += [f"{number:.{digits}f}" for number in numbers]
    return dict(zip(columns(task), texts, strict=True))


def score_of(row: Mapping[str, str]) -> tuple[str, Score]:
    """Return the task's kind and the score of a row of a table.

    Raises:
        ValueError: a column is missing or not a whole number, or the task is not installed.
    """
    kind = row.get(TASK) or EARLIEST
    task = task_class(kind)
    places = {name: task.COLUMN_NAMES.get(_sum(name), _sum(name)) for name in task.SUMS}
    places[ITEMS] = IMAGES
    missing = [place for place in places.values() if not row.get(place)]
    if missing:
        raise ValueError(f"a row of {kind} has nothing in the column {missing[0]}")
    return kind, {name: int(row[place]) for name, place in places.items()}


def _sum(name: str) -> str:
    return f"sum_{name}"


def _three(name: str) -> tuple[str, str, str]:
    return name, f"{name}_ci95_low", f"{name}_ci95_high"
