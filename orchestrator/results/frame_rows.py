"""One recorded frame: its columns, their types, and whether it is what the plan asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from orchestrator.plan.plan import Plan
from semcom.errors import AccountingError, one_line

MAX_ATTEMPTS = 2**31 - 1
MAX_MS = 1e9  # as in every message
MAX_SHOWN = 40  # characters of a value in a message


@dataclass(frozen=True)
class FrameRow:
    """One recorded frame; the fields are the columns of the ledger's table, in its order."""

    point: int
    link: str
    frame: int
    images: int
    correct: int
    predictions: bytes
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
    def answer(self) -> bytes:
        """Its part of the results digest: what it is called, and its predictions."""
        name = f"{self.point}/{self.link}/{self.frame}/{self.codec}/"
        return name.encode() + self.predictions

    def __str__(self) -> str:
        """Name the frame for messages."""
        return f"frame {self.frame} of point {self.point} on link {one_line(self.link, 64)}"


COLUMNS = tuple(field.name for field in fields(FrameRow))
_TYPES = {"int": int, "str": str, "bytes": bytes, "float": float}
_COLUMN_TYPES = tuple(_TYPES[str(field.type)] for field in fields(FrameRow))


def typed_row(values: Sequence[object]) -> FrameRow:
    """Return a frame from the values that a database gave; SQLite lets any type into any column.

    Raises:
        AccountingError: a value is not of its column's type.
    """
    for name, wanted, value in zip(COLUMNS, _COLUMN_TYPES, values, strict=True):
        if type(value) is not wanted:
            point, link, frame = map(_shown, values[:3])
            raise AccountingError(
                f"frame {frame} of point {point} on link {link} has {_shown(value)} as its {name}, "
                f"which is no {wanted.__name__}: the ledger was altered, run again"
            )
    return FrameRow(*values)  # type: ignore[arg-type]


def objection(plan: Plan, row: FrameRow, classes: Mapping[str, int]) -> str:
    """Return how a frame differs from what its plan asks for; empty where it does not.

    Args:
        plan: what was to be sent.
        row: the frame as it was answered.
        classes: how many classes a codec can answer, by its digest; others are not checked.
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
    if len(row.predictions) != 2 * images:
        return f"has {len(row.predictions) / 2:g} predictions for {images} images"
    if not 0 <= row.correct <= images:
        return f"has {row.correct} of {images} images correct"
    if not 1 <= row.attempts <= MAX_ATTEMPTS or not all(
        0 <= value <= MAX_MS for value in row.durations_ms
    ):
        return "has impossible attempts or durations"
    return beyond_classes(row.predictions, classes.get(row.codec))


def beyond_classes(predictions: bytes, classes: int | None) -> str:
    """Return what is wrong with answers that no codec of so many classes gives; else nothing."""
    highest = int(np.frombuffer(predictions, dtype="<u2").max(initial=0))
    if classes is None or highest < classes:
        return ""
    return (
        f"was answered with class {highest}, its codec has {classes} classes (0 to {classes - 1})"
    )


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
