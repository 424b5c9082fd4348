"""A task: what an answer is, how it is judged, and which metrics come of it.

A task is the one place that knows what an answer means. Everything else moves answers as bytes of a
stated form, adds up the named sums of their Scores, and shows the Metrics that the task lists.

Shape legend: N items, ... the shape of one item's answer.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from semcom.errors import ProtocolError
from semcom.tasks.form import AnyForm
from semcom.tasks.metric import Metric
from semcom.tasks.score import ITEMS, MAX_SUM, Score

# What the transmitter holds an answer against: the label of an item, the item itself, or a sentence
# with its words (`semcom.tasks.text.Sentences`).
Reference = Literal["labels", "items", "sentences"]
MAX_KEPT_BYTES = 8192  # of a frame's answer, in a ledger and in every message about it


class Task(BaseModel, ABC):
    """Base of all tasks; the fields of a task are the parameters that a codec's manifest states.

    Attributes:
        METRICS: what reports show; the first one is the task's main metric.
        SUMS: names of the sums of a Score, in the order of tables; `items` is the first.
        REFERENCE: what answers are judged by.
        COUNTED_AS: the task as which its sums are monitored, where that is another one.
        COLUMN_NAMES: columns of tables that the task calls otherwise than `semcom.tasks.columns`.
        kind: the task's name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    METRICS: ClassVar[tuple[Metric, ...]]
    SUMS: ClassVar[tuple[str, ...]]
    REFERENCE: ClassVar[Reference]
    COUNTED_AS: ClassVar[str | None] = None
    COLUMN_NAMES: ClassVar[Mapping[str, str]] = {}

    kind: str

    @classmethod
    def kind_name(cls) -> str:
        """Return the name of the task, of the class itself."""
        return str(cls.model_fields["kind"].default)

    @classmethod
    def counted_as(cls) -> str:
        """Return the name of the task as which its sums are monitored."""
        return cls.COUNTED_AS or cls.kind_name()

    @property
    @abstractmethod
    def form(self) -> AnyForm:
        """Type and shape of the answer to one item."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what a codec computes for one item, before it becomes an answer."""

    @abstractmethod
    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn what a codec computes, float32 (N, *output_shape), into answers (N, ...)."""

    @abstractmethod
    def check(self, answers: npt.NDArray[Any]) -> None:
        """Refuse answers (N, ...) that no codec of this task gives.

        Raises:
            ProtocolError: `shape`; the detail says what is wrong.
        """

    @abstractmethod
    def judge(self, answers: npt.NDArray[Any], references: Any) -> Score:
        """Compare answers (N, ...) with their references; returns the sums over all N items."""

    def kept(self, answer: bytes) -> bytes:
        """Return what a ledger keeps of a frame's answer: its SHA-256, unless a task says other."""
        return hashlib.sha256(answer).digest()

    def kept_bytes(self, items: int) -> int:
        """Return the length of what is kept of an answer to so many items."""
        del items
        return hashlib.sha256().digest_size

    def digest_of_kept(self, kept: bytes) -> str:
        """Return the SHA-256 of an answer, hexadecimal, from what was kept of it."""
        return kept.hex()

    def check_kept(self, kept: bytes, items: int) -> None:
        """Refuse what cannot have been kept of an answer to so many items.

        Raises:
            ProtocolError: `shape`.
        """
        expected = self.kept_bytes(items)
        if len(kept) != expected:
            raise ProtocolError("shape", f"has {len(kept)} bytes as its answer, not {expected}")

    def rejudge(self, kept: bytes, references: Any) -> Score | None:
        """Judge again by what was kept; None where the answer itself would be needed."""
        del kept, references
        return None

    def check_score(self, score: Mapping[str, int], items: int) -> str:
        """Return what is wrong with a score of so many items; empty where nothing is."""
        if set(score) != set(self.SUMS):
            return f"has the sums {', '.join(sorted(score))}, not {', '.join(sorted(self.SUMS))}"
        if score[ITEMS] != items:
            return f"has a score of {score[ITEMS]} items, not {items}"
        if not all(-MAX_SUM <= each <= MAX_SUM for each in score.values()):
            return "has a sum beyond 63 bits"
        return ""
