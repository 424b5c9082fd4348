"""One recorded frame: its columns, their types, and whether it is what the plan asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from orchestrator.plan.plan import Plan
from semcom.errors import AccountingError, ProtocolError, one_line
from semcom.tasks.classification import Classification
from semcom.tasks.score import Score
from semcom.tasks.task import Task

ANY_CLASSES = Classification(classes=65_536)  # of ledgers that do not name their codecs' tasks
MAX_ATTEMPTS = 2**31 - 1
MAX_MS = 1e9  # as in every message
MAX_SHOWN = 40  # characters of a value in a message


@dataclass(frozen=True)
class FrameRow:
    """One recorded frame; the fields are the columns of the ledger's table, in its order.

    `score` holds the sums of the codec's task, `answer` what the task keeps of the answer.
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
        """What the frame is called within its run, in the order of the ledger."""
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
        """Its part of the results digest: what it is called, and what is kept of its answer."""
        name = f"{self.point}/{self.link}/{self.frame}/{self.codec}/"
        return name.encode() + self.answer

    def __str__(self) -> str:
        """Name the frame for messages."""
        return f"frame {self.frame} of point {self.point} on link {one_line(self.link, 64)}"


_TYPES = {"int": int, "str": str, "bytes": bytes, "float": float}
_COLUMN_TYPES = {field.name: _TYPES.get(str(field.type)) for field in fields(FrameRow)}
_COLUMN_TYPES |= {"correct": int, "predictions": bytes, "score": str}


def check_types(columns: Sequence[str], values: Sequence[object]) -> None:
    """See that values have the types of their columns; SQLite lets any type into any column.

    Raises:
        AccountingError: one has not.
    """
    for name, value in zip(columns, values, strict=True):
        wanted = _COLUMN_TYPES[name]
        assert wanted is not None
        if type(value) is not wanted:
            point, link, frame = map(_shown, values[:3])
            raise AccountingError(
                f"frame {frame} of point {point} on link {link} has {_shown(value)} as its {name}, "
                f"which is no {wanted.__name__}: the ledger was altered, run again"
            )


def objection(plan: Plan, row: FrameRow, tasks: Mapping[str, Task]) -> str:
    """Return how a frame differs from what its plan asks for; empty where it does not.

    Args:
        plan: what was to be sent.
        row: the frame as it was answered.
        tasks: of the codecs, by their digests; of others it is taken that they classify.
    """
    if not is_planned(plan, row.link, row.point, row.frame):
        return "was never planned"
    codec, images = plan.codec_at(row.link, row.point), plan.frame_size(row.link, row.frame)
    if row.codec != codec.digest:
        return (
            f"was answered by codec {one_line(row.codec, 12)}, another codec than planned "
            f"({codec.name} {codec.digest[:12]})"
        )
    if row.images != images:
        return f"has {row.images} images, planned were {images}"
    if not 1 <= row.attempts <= MAX_ATTEMPTS or not all(
        0 <= value <= MAX_MS for value in row.durations_ms
    ):
        return "has impossible attempts or durations"
    return misjudged(tasks.get(row.codec, ANY_CLASSES), row.answer, row.score, images)


def misjudged(task: Task, answer: bytes, score: Score, images: int) -> str:
    """Return why a task cannot have kept this answer, or made this score of it; else nothing."""
    try:
        task.check_kept(answer, images)
    except ProtocolError as error:
        return error.detail
    return task.check_score(score, images)


def is_planned(plan: Plan, link: str, point: int, frame: int) -> bool:
    """Whether a plan asks for a frame."""
    planned = plan.links.get(link)
    return (
        planned is not None
        and 0 <= point < len(plan.points)
        and plan.points[point].variant < len(planned.codecs)
        and 0 <= frame < plan.frames(link)
    )


def _shown(value: object) -> str:
    return one_line(repr(value[:MAX_SHOWN] if isinstance(value, bytes | str) else value), MAX_SHOWN)
