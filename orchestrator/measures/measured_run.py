"""Add the metrics of its measures to a run, so that reports show them like those of its tasks.

A measure per item becomes sums of its task's score: values as integers of a step, and squares. One
per whole image has a sum that counts images, too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from orchestrator.measures.kinds import MEASURES, Measure, whole_count
from orchestrator.measures.values import Measured, MeasuredValues, measured
from orchestrator.plan.plan import Plan
from orchestrator.results.cluster_sums import Counts
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary, format_results_csv
from semcom.tasks.task import Task

DIGITS = 6  # of a value of a point, in tables


def with_measures(run: StoredRun) -> StoredRun:
    """Return a run whose points have the sums of its measures; unchanged if it has none.

    Raises:
        ConfigurationError: a measure belongs to other answers.
        StorageError: a file is damaged.
    """
    found = {name: each for name, each in measured(run).items() if MEASURES[name].metric}
    if not found:
        return run
    summary = run.summary
    tasks = {digest: measured_task(task, tuple(found)) for digest, task in summary.tasks.items()}
    points = [
        _with_sums(summary.plan, place, point, measures)
        if (measures := _of(point.task, found, place))
        else point
        for place, point in zip(_places(summary.plan), summary.points, strict=True)
    ]
    return replace(run, summary=replace(summary, tasks=tasks, points=points))


def measured_task(task: Task, names: tuple[str, ...]) -> Task:
    """Return a task with the metrics of measures, those of its kind."""
    own = tuple(name for name in names if MEASURES[name].task == task.kind)
    return _class_of(type(task), own).model_validate(task.model_dump()) if own else task


@lru_cache(maxsize=64)
def _class_of(kind: type[Task], names: tuple[str, ...]) -> type[Task]:
    metrics = [each for name in names if (each := MEASURES[name].metric) is not None]
    sums = chain.from_iterable(_sums_of(MEASURES[name]) for name in names)
    fields: dict[str, Any] = {
        "METRICS": (*kind.METRICS, *metrics),
        "SUMS": (*kind.SUMS, *sums),
        "__module__": __name__,
        "__doc__": kind.__doc__,
    }
    return type(f"Measured{kind.__name__}", (kind,), fields)


def _sums_of(measure: Measure) -> tuple[str, ...]:
    """Return the names of the sums of a measure."""
    counted = (whole_count(measure.name),) if measure.per == "image" else ()
    return (measure.name, f"{measure.name}_squares", *counted)


def _places(plan: Plan) -> list[tuple[str, int]]:
    """Return link and point of all results of a complete run, in their order."""
    return [(link, point) for link in plan.links for point in plan.points_of(link)]


def _of(
    task: Task, found: Mapping[str, Measured], place: tuple[str, int]
) -> list[tuple[Measure, Measured]]:
    kinds = {name: MEASURES[name] for name, each in found.items() if place in each.by_place}
    return [(m, found[name]) for name, m in kinds.items() if m.task == task.kind]


def _with_sums(
    plan: Plan,
    place: tuple[str, int],
    point: PointSummary,
    measures: Sequence[tuple[Measure, Measured]],
) -> PointSummary:
    link, _ = place
    sizes = [plan.frame_size(link, frame) for frame in range(plan.frames(link))]
    sums: dict[str, Counts] = {}
    for measure, found in measures:
        assert measure.metric is not None
        steps = np.rint(found.by_place[place] / measure.metric.step).astype(np.int64)
        columns = [steps, steps * steps]
        if measure.per == "image":  # it counts in the frame that completes it
            ends = np.array((found.record.images or {})[link], np.int64)
            columns = [_at(ends, each, sum(sizes)) for each in (*columns, np.ones_like(steps))]
        for name, column in zip(_sums_of(measure), columns, strict=True):
            sums[name] = np.add.reduceat(column, np.cumsum([0, *sizes[:-1]]))
    clusters = point.clusters
    assert clusters is not None  # of a ledger that was summarised
    assert len(clusters.items) == len(sizes)
    total = {name: int(each.sum()) for name, each in sums.items()}
    return replace(
        point,
        task=measured_task(point.task, tuple(measure.name for measure, _ in measures)),
        score={**point.score, **total},
        clusters=replace(clusters, sums={**clusters.sums, **sums}),
    )


def _at(places: Counts, values: Counts, items: int) -> Counts:
    """Return values by item (N,): at their places, and 0 elsewhere."""
    found = np.zeros(items, np.int64)
    np.add.at(found, places, values)
    return found


def point_values(run: StoredRun) -> dict[str, list[float | None]]:
    """Return the values of measures that compare points, by name; a value per result, or None.

    Raises:
        SemcomError: as for `with_measures`.
    """
    return {
        name: [
            float(each.by_place[place][0]) if place in each.by_place else None
            for place in _places(run.summary.plan)
        ]
        for name, each in measured(run).items()
        if MEASURES[name].per == "point"
    }


def weights_of(run: StoredRun, measure: Measure) -> Mapping[str, str]:
    """Return the SHA-256 of each file of weights with which a run was measured.

    Raises:
        ConfigurationError: the record is damaged.
    """
    record = MeasuredValues(run.folder, measure).record
    return {} if record is None else record.weights


def format_measured_csv(run: StoredRun) -> bytes:
    """Return `results.csv` with the columns of the measures; those of whole points come last."""
    by_point = point_values(run)
    rows = list(csv.reader(io.StringIO(format_results_csv(with_measures(run).summary).decode())))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*rows[0], *by_point])
    for number, row in enumerate(rows[1:]):
        found = [values[number] for values in by_point.values()]
        writer.writerow([*row, *("" if v is None else f"{v:.{DIGITS}f}" for v in found)])
    return text.getvalue().encode()
