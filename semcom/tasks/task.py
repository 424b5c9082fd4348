"""A task: the form of an answer, how it is judged, and its metrics.

Only a task defines what an answer means. All other code forwards answers as bytes of a stated form,
adds up the named sums of their Scores, and shows the Metrics that the task lists.

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
from semcom.item_words import ItemWord, item_word
from semcom.tasks.form import AnyForm
from semcom.tasks.metric import Metric
from semcom.tasks.score import ITEMS, MAX_SUM, Score

# What the transmitter compares an answer with: the label of an item, the item itself, or a sentence
# with its words (`semcom.tasks.text.Sentences`).
Reference = Literal["labels", "items", "sentences"]
MAX_KEPT_BYTES = 8192  # bytes kept of a frame's answer, in a ledger and in messages


class Task(BaseModel, ABC):
    """Base of all tasks; the fields of a task are parameters stated in a codec's manifest.

    Attributes:
        METRICS: reported numbers; the first one is the task's main metric.
        SUMS: names of the sums of a Score, in the order of tables; `items` is the first.
        REFERENCE: what answers are judged against.
        COUNTED_AS: task under which its sums are monitored, if another one.
        COLUMN_NAMES: names of table columns that differ from those of `semcom.tasks.columns`.
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
        """Return the name of the task, from the class itself."""
        return str(cls.model_fields["kind"].default)

    @classmethod
    def counted_as(cls) -> str:
        """Return the name of the task under which its sums are monitored."""
        return cls.COUNTED_AS or cls.kind_name()

    @classmethod
    def item_word(cls) -> ItemWord:
        """Return the word for the items that the task judges."""
        return item_word(sentences=cls.REFERENCE == "sentences")

    @property
    @abstractmethod
    def form(self) -> AnyForm:
        """Type and shape of the answer to one item."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a codec's outputs for one item, before they become an answer."""

    @abstractmethod
    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Convert a codec's outputs, float32 (N, *output_shape), to answers (N, ...)."""

    @abstractmethod
    def check(self, answers: npt.NDArray[Any]) -> None:
        """Refuse answers (N, ...) that no codec of this task can give.

        Raises:
            ProtocolError: `shape`; the detail says what is wrong.
        """

    @abstractmethod
    def judge(self, answers: npt.NDArray[Any], references: Any) -> Score:
        """Compare answers (N, ...) with their references; returns the sums over all N items."""

    def kept(self, answer: bytes) -> bytes:
        """Return the part of a frame's answer that a ledger keeps: its SHA-256 by default."""
        return hashlib.sha256(answer).digest()

    def kept_bytes(self, items: int) -> int:
        """Return the number of bytes kept of an answer to this many items."""
        del items
        return hashlib.sha256().digest_size

    def digest_of_kept(self, kept: bytes) -> str:
        """Return the SHA-256 of an answer, hexadecimal, from its kept part."""
        return kept.hex()

    def check_kept(self, kept: bytes, items: int) -> None:
        """Refuse bytes that cannot be the kept part of an answer to this many items.

        Raises:
            ProtocolError: `shape`.
        """
        expected = self.kept_bytes(items)
        if len(kept) != expected:
            raise ProtocolError("shape", f"has {len(kept)} bytes as its answer, not {expected}")

    def rejudge(self, kept: bytes, references: Any) -> Score | None:
        """Judge again from the kept part; None if the complete answer would be needed."""
        del kept, references
        return None

    def check_score(self, score: Mapping[str, int], items: int) -> str:
        """Return what is wrong with the score of this many items; empty if nothing is."""
        if set(score) != set(self.SUMS):
            return f"has the sums {', '.join(sorted(score))}, not {', '.join(sorted(self.SUMS))}"
        if score[ITEMS] != items:
            return f"has a score of {score[ITEMS]} items, not {items}"
        if not all(-MAX_SUM <= each <= MAX_SUM for each in score.values()):
            return "has a sum beyond 63 bits"
        return ""
