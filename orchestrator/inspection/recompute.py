"""Recompute items of a run from its plan, and compare them frame by frame with its ledger.

They are computed by the process of evaluations, so that channel draws, forward passes and answers
are those of the run (`orchestrator/training/evaluation_process.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.evaluation.evaluation_jobs import job_of
from orchestrator.evaluation.one_process import evaluating_process
from orchestrator.inspection.choice import ItemCurve
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.units import Unit
from orchestrator.results.frame_rows import FrameRow
from semcom.errors import ConfigurationError, ProcessFailedError
from semcom.evaluation_messages import (
    EncodedImages,
    EvaluatedPoint,
    EvaluationError,
    EvaluationJob,
    EvaluationLine,
    Inspection,
    InspectionDetail,
)

Arrays = Mapping[str, npt.NDArray[Any]]
Recorded = Mapping[tuple[str, int, int], FrameRow]  # by link, point and frame
Encoding = Callable[[str, int, int], None]  # codec, encoded items, total


def _silently(codec: str, done: int, of: int) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, kw_only=True)
class Computing:
    """Options of the computation.

    Attributes:
        encoding: called with the number of encoded items.
        process: returns the lines that answer a job; None: a process for this job only.
        turn: how often a stream has sent all items of the link before.
    """

    encoding: Encoding = _silently
    process: Callable[[EvaluationJob], AbstractContextManager[Iterator[EvaluationLine]]] | None = (
        None
    )
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Recomputed:
    """Arrays of the requested items by point, and their agreement with the ledger.

    Attributes:
        items: numbers in the requested order.
        arrays: arrays of each point, with a row for each of `items`.
        compared: number of frames compared with the ledger.
        differing: a line for each frame that differs from the ledger.
        missing: number of frames that the ledger does not have.
    """

    items: tuple[int, ...]
    arrays: Mapping[int, Arrays]
    compared: int
    differing: tuple[str, ...]
    missing: int


def recompute(
    plan: Plan,
    curve: ItemCurve,
    items: Sequence[int],
    *,
    folders: Folders,
    recorded: Recorded,
    detail: InspectionDetail = "features",
    computing: Computing | None = None,
) -> Recomputed:
    """Compute the frames of some items at all points of a curve.

    Args:
        plan: plan of the run.
        curve: points of the curve.
        items: numbers of the link's items.
        folders: folders of data sets and codecs, found by name and compared with the plan's
            digests.
        recorded: the frames of the ledger.
        detail: only scores, symbols as well, or also features.
        computing: options; None: a separate process.

    Raises:
        ConfigurationError: there is no such item, or the data set is a different one.
        SemcomError: as for an evaluation.
    """
    planned = plan.links[curve.link].images
    for item in items:
        if not 0 <= item < planned:
            raise ConfigurationError(
                f"no item {item} of link {curve.link}: it sent items 0 to {planned - 1}"
            )
    units = list(_units(plan, curve, items))
    with tempfile.TemporaryDirectory(prefix="semcom-items-") as place:
        wanted = Inspection(
            link=curve.link, items=sorted(set(items)), detail=detail, folder=Path(place)
        )
        job = job_of(plan, units, folders).model_copy(update={"inspection": wanted})
        lines = list(_computed(job, computing or Computing()))
        firsts = [unit.first * plan.frame_images for unit in units]
        arrays = {
            point: _joined([Path(place) / f"{first}-{point}.npz" for first in firsts], items)
            for point in curve.points
        }
    compared, differing, missing = _agreement(lines, units, recorded)
    return Recomputed(
        items=tuple(items),
        arrays=arrays,
        compared=compared,
        differing=tuple(differing),
        missing=missing,
    )


def _units(plan: Plan, curve: ItemCurve, items: Iterable[int]) -> Iterable[Unit]:
    """Return the frames with the items, with adjacent frames as one unit."""
    group = plan.group_of(curve.link)
    links = (curve.link,) if group is None else tuple(group.links)
    frames = sorted({item // plan.frame_images for item in items})
    for _, row in groupby(enumerate(frames), key=lambda pair: pair[1] - pair[0]):
        numbers = [frame for _, frame in row]
        points = tuple(sorted(curve.points))
        yield Unit(links, curve.variant, numbers[0], numbers[-1] + 1, points)


def _computed(job: EvaluationJob, computing: Computing) -> Iterable[EvaluatedPoint]:
    tasks = [task.model_copy(update={"turn": computing.turn}) for task in job.tasks]
    process = computing.process or evaluating_process
    with process(job.model_copy(update={"tasks": tasks})) as lines:
        for line in lines:
            if isinstance(line, EvaluatedPoint):
                yield line
            elif isinstance(line, EncodedImages):
                task = job.tasks[line.task]
                computing.encoding(task.codec_dir.name, line.images, len(job.images_of(task)))
            elif isinstance(line, EvaluationError):
                raise ProcessFailedError(line.detail, line.exit_code)


def _joined(paths: Iterable[Path], items: Sequence[int]) -> Arrays:
    """Return the joined arrays of several files, with rows in the order of the items."""
    parts: list[dict[str, npt.NDArray[Any]]] = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append(dict(file))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = {number: row for row, number in enumerate(joined["items"].tolist())}
    order = [rows[item] for item in items]
    return {name: array[order] for name, array in joined.items()}


def _agreement(
    lines: Iterable[EvaluatedPoint], units: Sequence[Unit], recorded: Recorded
) -> tuple[int, list[str], int]:
    """Compare computed frames with the ledger: return compared, differing lines, missing."""
    compared, missing = 0, 0
    differing: list[str] = []
    for line in lines:
        for frame, computed in enumerate(line.frames, start=units[line.task].first):
            row = recorded.get((line.link, line.point, frame))
            if row is None:
                missing += 1
                continue
            compared += 1
            if (row.answer, dict(row.score)) != (computed.answer, computed.score):
                differing.append(f"{row}: the recomputed answer differs from the ledger")
    return compared, differing, missing
