"""Audit every frame: the ledger against the plan and against the processes' own logs.

Pure: rows and log records in, findings out. With `log_frames` in the scenario, transmitters and
receivers log each answer before they send it. Then every frame in the ledger must have been decoded
by a receiver, and every answer must agree with the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from orchestrator.plan.plan import Plan
from orchestrator.results.frame_rows import ANY_CLASSES, FrameRow, objection
from semcom.tasks.task import Task

Frame = tuple[str, int, int]  # link, point, frame
Record = Mapping[str, Any]

ANSWERED, DECODED = "frame answered", "frame decoded"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Wrong frames, each as a line with the reason."""

    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatching: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Return whether nothing was found."""
        return not any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        """Return counts, and the first frame of each kind."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(
            f"{len(lines)} {kind}" + (f" ({lines[0]})" if lines else "")
            for kind, lines in found.items()
        )


def audit(
    plan: Plan,
    rows: Iterable[FrameRow],
    logs: Iterable[Record] = (),
    *,
    reference: Iterable[FrameRow] = (),
    witnessed: bool = False,
    tasks: Mapping[str, Task] | None = None,
) -> Audit:
    """Compare recorded frames with planned, answered and expected ones.

    Args:
        plan: plan of the run.
        rows: the ledger.
        logs: records of all processes over all restarts; only those of frames are used.
        reference: ledger of an undisturbed run of the same plan, if there is one.
        witnessed: whether the processes logged every frame, so that one without a log record is an
            error.
        tasks: known tasks of the codecs by their digests.
    """
    rows, tasks = list(rows), tasks or {}
    planned = dict(_planned(plan))
    times = Counter(_frame(row) for row in rows)
    answers: dict[Frame, set[str]] = {}
    for row in rows:
        answers.setdefault(_frame(row), set()).add(_answer_digest(row, tasks))
    decoded: set[Frame] = set()
    unexpected: list[str] = []
    mismatching = [
        f"{row} {wrong}"
        for row in rows
        if _frame(row) in planned and (wrong := objection(plan, row, tasks))
    ]
    seen: set[Frame] = set()
    for event, frame, answer in _logged(plan.run, logs):
        seen.add(frame)
        if event == DECODED:
            decoded.add(frame)
        if frame in times and answer not in answers[frame]:
            mismatching.append(f"{_named(frame)} was answered differently: {event}")
        elif frame in planned:
            answers.setdefault(frame, {answer})
    mismatching += [
        f"{_named(frame)} has {len(different)} answers"
        for frame, different in answers.items()
        if len(different) > 1
    ]
    mismatching += [
        f"{_named(_frame(row))} differs from the undisturbed run"
        for row in reference
        if _frame(row) in times and answers[_frame(row)] != {_answer_digest(row, tasks)}
    ]
    unexpected += [f"{_named(f)} was never planned" for f in {*times, *seen} if f not in planned]
    if witnessed:
        unexpected += [
            f"{_named(frame)} is recorded, but no receiver decoded it"
            for frame in times
            if frame in planned and frame not in decoded
        ]
    return Audit(
        lost=tuple(
            f"{_named(frame)} is not recorded" + (", though it was answered" * (frame in seen))
            for frame in planned
            if frame not in times
        ),
        duplicated=tuple(
            f"{_named(frame)} is recorded {count} times"
            for frame, count in times.items()
            if count > 1
        ),
        unexpected=tuple(sorted(unexpected)),
        mismatching=tuple(mismatching),
    )


def _answer_digest(row: FrameRow, tasks: Mapping[str, Task]) -> str:
    """Return the short digest under which processes log an answer."""
    return tasks.get(row.codec, ANY_CLASSES).digest_of_kept(row.answer)[:16]


def _planned(plan: Plan) -> Iterator[tuple[Frame, int]]:
    for link in plan.links:
        for point in plan.points_of(link):
            for frame in range(plan.frames(link)):
                yield (link, point, frame), plan.frame_size(link, frame)


def _logged(run: str, logs: Iterable[Record]) -> Iterator[tuple[str, Frame, str]]:
    """Yield (event, frame, answer) of this run's frames."""
    for record in logs:
        if record.get("event") in (ANSWERED, DECODED) and record.get("run") == run:
            yield (
                record["event"],
                (record["link"], record["point"], record["frame"]),
                record["answer"],
            )


def _frame(row: FrameRow) -> Frame:
    return row.link, row.point, row.frame


def _named(frame: Frame) -> str:
    return f"frame {frame[2]} of point {frame[1]} on link {frame[0]}"
