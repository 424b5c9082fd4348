"""One recorded frame: its columns, their types, and its check against the plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from orchestrator.plan.plan import Plan
from semcom.errors import AccountingError, ProtocolError, one_line
from semcom.increments import first_counts
from semcom.tasks.classification import Classification
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.tasks.score import Score
from semcom.tasks.task import Task

ANY_CLASSES = Classification(classes=65_536)  # for ledgers that do not name their codecs' tasks
MAX_ATTEMPTS = 2**31 - 1
MAX_MS = 1e9  # as in every message
MAX_SHOWN = 40  # characters of a value in a message


@dataclass(frozen=True)
class FrameRow:
    """One recorded frame; the fields are the columns of the ledger's table, in its order.

    `score` holds the sums of the codec's task, `answer` the part of the answer that the task keeps.
    """

    point: int
    link: str
    frame: int
    images: int
    score: Score
    answer: bytes
    codec: str
    attempts: int
    encode_ms: float
    channel_ms: float
    batch_wait_ms: float
    decode_ms: float
    round_trip_ms: float

    @property
    def key(self) -> tuple[int, str, int]:
        """Return the frame's key within its run, in the order of the ledger."""
        return self.point, self.link, self.frame

    @property
    def durations_ms(self) -> tuple[float, ...]:
        """All durations."""
        return (
            self.encode_ms,
            self.channel_ms,
            self.batch_wait_ms,
            self.decode_ms,
            self.round_trip_ms,
        )

    @property
    def named_answer(self) -> bytes:
        """Its part of the results digest: its key, and the kept part of its answer."""
        name = f"{self.point}/{self.link}/{self.frame}/{self.codec}/"
        return name.encode() + self.answer

    def __str__(self) -> str:
        """Name the frame for messages."""
        return f"frame {self.frame} of point {self.point} on link {one_line(self.link, 64)}"


_TYPES = {"int": int, "str": str, "bytes": bytes, "float": float}
_COLUMN_TYPES = {field.name: _TYPES.get(str(field.type)) for field in fields(FrameRow)}
_COLUMN_TYPES |= {"correct": int, "predictions": bytes, "score": str}


def check_types(columns: Sequence[str], values: Sequence[object]) -> None:
    """Check that values have the types of their columns; SQLite allows any type in any column.

    Raises:
        AccountingError: one has another type.
    """
    for name, value in zip(columns, values, strict=True):
        wanted = _COLUMN_TYPES[name]
        assert wanted is not None
        if type(value) is not wanted:
            point, link, frame = map(_shown, values[:3])
            raise AccountingError(
                f"frame {frame} of point {point} on link {link} has {_shown(value)} as its {name}, "
                f"which is not of type {wanted.__name__}: the ledger was altered, run again"
            )


def objection(plan: Plan, row: FrameRow, tasks: Mapping[str, Task]) -> str:
    """Return how a frame differs from its plan; empty if it does not.

    Args:
        plan: plan of the run.
        row: the recorded frame.
        tasks: tasks of the codecs by their digests; others are assumed to classify.
    """
    if not is_planned(plan, row.link, row.point, row.frame):
        return "was never planned"
    codec, images = plan.codec_at(row.link, row.point), plan.frame_size(row.link, row.frame)
    if row.codec != codec.digest:
        return (
            f"was answered by codec {one_line(row.codec, 12)}, not by the planned one "
            f"({codec.name} {codec.digest[:12]})"
        )
    if row.images != images:
        return f"has {row.images} items, planned were {images}"
    if not 1 <= row.attempts <= MAX_ATTEMPTS or not all(
        0 <= value <= MAX_MS for value in row.durations_ms
    ):
        return "has impossible attempts or durations"
    task = tasks.get(row.codec, ANY_CLASSES)
    wrong = misjudged(task, row.answer, row.score, images)
    return wrong or _otherwise_sent(plan, row, task)


def _otherwise_sent(plan: Plan, row: FrameRow, task: Task) -> str:
    """Return whether images took other increments than their point asks for; empty if none did."""
    rate = plan.spec_at(row.link, row.point).rate
    if not isinstance(task, OrderedClassification) or (rate and rate.confidence is not None):
        return ""
    wanted = first_counts(rate, 1, increments=len(task.lengths))[0]
    if (task.form.parse(row.answer, row.images)[:, 1] == wanted).all():
        return ""
    return f"has images of other than {wanted} increments, which its point asks for"


def misjudged(task: Task, answer: bytes, score: Score, images: int) -> str:
    """Return why a task cannot have kept this answer or given this score; empty if it can."""
    try:
        task.check_kept(answer, images)
    except ProtocolError as error:
        return error.detail
    return task.check_score(score, images)


def is_planned(plan: Plan, link: str, point: int, frame: int) -> bool:
    """Return whether a frame is planned."""
    planned = plan.links.get(link)
    return (
        planned is not None
        and 0 <= point < len(plan.points)
        and plan.points[point].variant < len(planned.codecs)
        and 0 <= frame < plan.frames(link)
    )


def _shown(value: object) -> str:
    return one_line(repr(value[:MAX_SHOWN] if isinstance(value, bytes | str) else value), MAX_SHOWN)
