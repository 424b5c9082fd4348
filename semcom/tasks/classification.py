"""Classification: a class per item, correct or wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from semcom.errors import ProtocolError
from semcom.tasks.form import AnswerForm
from semcom.tasks.metric import Metric, share
from semcom.tasks.score import ITEMS, Score
from semcom.tasks.task import Reference, Task

CORRECT = "correct"
_value, _interval = share(CORRECT)
ACCURACY = Metric(
    name="accuracy",
    title="Accuracy",
    unit="%",
    better="higher",
    digits=2,
    limits=(0.0, 1.0),
    value=_value,
    interval=_interval,
    of=CORRECT,
)


class OfClasses(Task):
    """Base of tasks whose answer is one of `classes` classes; the reference is a label."""

    REFERENCE: ClassVar[Reference] = "labels"
    # Tables of results were first made only for classification.
    COLUMN_NAMES: ClassVar[Mapping[str, str]] = {
        "sum_correct": CORRECT,
        "accuracy_ci95_low": "ci95_low",
        "accuracy_ci95_high": "ci95_high",
    }

    classes: int = Field(ge=2, le=65536, description="number of classes that an answer may name")

    @property
    def output_shape(self) -> tuple[int, ...]:
        """A logit per class."""
        return (self.classes,)

    def check_classes(self, classes_N: npt.NDArray[Any]) -> None:
        """Refuse a class that does not exist.

        Raises:
            ProtocolError: `shape`.
        """
        highest = int(classes_N.max(initial=0))
        if highest >= self.classes:
            raise ProtocolError(
                "shape",
                f"was answered with class {highest}, its codec has {self.classes} classes "
                f"(0 to {self.classes - 1})",
            )

    def digest_of_all(self, kept: bytes) -> str:
        """Return the SHA-256 of an answer that was kept completely, hexadecimal."""
        return hashlib.sha256(kept).hexdigest()

    def check_score(self, score: Mapping[str, int], items: int) -> str:
        """Return what is wrong with the score of this many items; empty if nothing is."""
        wrong = super().check_score(score, items)
        if not wrong and not 0 <= score[CORRECT] <= items:
            return f"has {score[CORRECT]} of {items} items correct"
        return wrong


class Classification(OfClasses):
    """One of `classes` classes for every item."""

    METRICS: ClassVar[tuple[Metric, ...]] = (ACCURACY,)
    SUMS: ClassVar[tuple[str, ...]] = (ITEMS, CORRECT)

    kind: Literal["classification"] = "classification"

    @property
    def form(self) -> AnswerForm:
        """A uint16 per item."""
        return AnswerForm(dtype="uint16", shape=())

    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the class of the largest logit: float32 (N, T) -> uint16 (N,)."""
        classes_N: npt.NDArray[np.uint16] = outputs.argmax(axis=1).astype("<u2")
        return classes_N

    def check(self, answers: npt.NDArray[Any]) -> None:
        """Refuse a class that does not exist.

        Raises:
            ProtocolError: `shape`.
        """
        self.check_classes(answers)

    def judge(self, answers: npt.NDArray[Any], references: npt.NDArray[Any]) -> Score:
        """Count the answers that equal the label: uint16 (N,) against uint16 (N,)."""
        return {ITEMS: len(answers), CORRECT: int(np.count_nonzero(answers == references))}

    def kept(self, answer: bytes) -> bytes:
        """Return the kept part of a frame's answer: all of it, two bytes per item."""
        return answer

    def kept_bytes(self, items: int) -> int:
        """Two bytes per item."""
        return 2 * items

    def digest_of_kept(self, kept: bytes) -> str:
        """Return the SHA-256 of an answer, hexadecimal."""
        return self.digest_of_all(kept)

    def check_kept(self, kept: bytes, items: int) -> None:
        """Refuse a wrong number of answers, and classes that do not exist.

        Raises:
            ProtocolError: `shape`.
        """
        if len(kept) != self.kept_bytes(items):
            raise ProtocolError("shape", f"has {len(kept) / 2:g} predictions for {items} items")
        self.check(np.frombuffer(kept, dtype="<u2"))

    def rejudge(self, kept: bytes, references: npt.NDArray[Any]) -> Score | None:
        """Judge again, from the kept answers."""
        return self.judge(np.frombuffer(kept, dtype="<u2"), references)
