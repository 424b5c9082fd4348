"""Classification with ordered codewords: a class per item, and the number of its symbols.

A receiver answers (class, confidence); transmitters judge and keep (class, increments), so that a
ledger has the number of symbols of every item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from semcom.errors import ProtocolError
from semcom.frame_messages import MAX_SYMBOLS
from semcom.increments import MAX_INCREMENTS, confidences_of
from semcom.tasks.classification import ACCURACY, CORRECT, OfClasses
from semcom.tasks.form import AnswerForm
from semcom.tasks.metric import Metric, mean
from semcom.tasks.score import ITEMS, Score

SYMBOLS = "symbols"
_value, _interval = mean(SYMBOLS, 1.0, limits=(0.0, None))
MEAN_SYMBOLS = Metric(
    name="mean_symbols",
    title="Mean symbols",
    unit="",
    better="lower",
    digits=1,
    limits=(0.0, None),
    value=_value,
    interval=_interval,
    of=SYMBOLS,
)


class OrderedClassification(OfClasses):
    """One of `classes` classes for every item, after some of the increments of its codeword."""

    METRICS: ClassVar[tuple[Metric, ...]] = (ACCURACY, MEAN_SYMBOLS)
    SUMS: ClassVar[tuple[str, ...]] = (ITEMS, CORRECT, SYMBOLS, f"{SYMBOLS}_squares")
    COUNTED_AS: ClassVar[str | None] = "classification"  # the same accuracy for any codeword

    kind: Literal["ordered_classification"] = "ordered_classification"
    lengths: tuple[Annotated[int, Field(ge=1, le=MAX_SYMBOLS)], ...] = Field(
        min_length=2,
        max_length=MAX_INCREMENTS,
        description="number of symbols of one increment, of two, ...",
    )

    @property
    def form(self) -> AnswerForm:
        """Two uint16 per item: class and confidence, or class and increments."""
        return AnswerForm(dtype="uint16", shape=(2,))

    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return class and confidence of the largest logit: float32 (N, T) -> uint16 (N, 2)."""
        classes_N = outputs.argmax(axis=1).astype("<u2")
        return np.stack([classes_N, confidences_of(outputs)], axis=1)

    def check(self, answers: npt.NDArray[Any]) -> None:
        """Refuse classes that do not exist.

        Raises:
            ProtocolError: `shape`.
        """
        self.check_classes(answers[:, 0])

    def judge(self, answers: npt.NDArray[Any], references: npt.NDArray[Any]) -> Score:
        """Count correct answers and symbols: (class, increments) (N, 2) against uint16 (N,)."""
        symbols_N = np.array(self.lengths, dtype=np.int64)[answers[:, 1].astype(np.int64) - 1]
        return {
            ITEMS: len(answers),
            CORRECT: int(np.count_nonzero(answers[:, 0] == references)),
            SYMBOLS: int(symbols_N.sum()),
            f"{SYMBOLS}_squares": int(np.square(symbols_N).sum()),
        }

    def kept(self, answer: bytes) -> bytes:
        """Return the kept part of a frame's answer: all of it, four bytes per item."""
        return answer

    def kept_bytes(self, items: int) -> int:
        """Four bytes per item."""
        return 4 * items

    def digest_of_kept(self, kept: bytes) -> str:
        """Return the SHA-256 of an answer, hexadecimal."""
        return self.digest_of_all(kept)

    def check_kept(self, kept: bytes, items: int) -> None:
        """Refuse a wrong number of answers, and classes or increments that do not exist.

        Raises:
            ProtocolError: `shape`.
        """
        super().check_kept(kept, items)
        answers_N2 = self.form.parse(kept, items)
        self.check(answers_N2)
        counts_N = answers_N2[:, 1]
        if items and not 1 <= counts_N.min() <= counts_N.max() <= len(self.lengths):
            raise ProtocolError("shape", f"has increments beyond 1 to {len(self.lengths)}")

    def rejudge(self, kept: bytes, references: npt.NDArray[Any]) -> Score | None:
        """Judge again, from the kept answers and increments."""
        return self.judge(self.form.parse(kept, len(references)), references)

    def check_score(self, score: Mapping[str, int], items: int) -> str:
        """Return what is wrong with the score of this many items; empty if nothing is."""
        wrong = super().check_score(score, items)
        low, high = items * self.lengths[0], items * self.lengths[-1]
        if not wrong and not low <= score[SYMBOLS] <= high:
            return f"has {score[SYMBOLS]} symbols of {items} items"
        return wrong
