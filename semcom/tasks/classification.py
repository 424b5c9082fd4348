"""Classification: a class per item, right or wrong."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from semcom.errors import ProtocolError
from semcom.tasks.form import AnswerForm
from semcom.tasks.metric import Metric, share
from semcom.tasks.score import ITEMS, Score

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
)


class Classification(BaseModel):
    """One of `classes` classes for every item; the reference is its label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    METRICS: ClassVar[tuple[Metric, ...]] = (ACCURACY,)
    SUMS: ClassVar[tuple[str, ...]] = (ITEMS, CORRECT)

    kind: Literal["classification"] = "classification"
    classes: int = Field(ge=2, le=65535, description="that an answer may name")

    @property
    def form(self) -> AnswerForm:
        """A uint16 per item."""
        return AnswerForm(dtype="uint16", shape=())

    def check(self, answers_N: npt.NDArray[Any]) -> None:
        """Refuse a class that there is not.

        Raises:
            ProtocolError: `shape`.
        """
        if len(answers_N) and (highest := int(answers_N.max())) >= self.classes:
            raise ProtocolError(
                "shape", f"class {highest} of {self.classes} (0 to {self.classes - 1})"
            )

    def judge(self, answers_N: npt.NDArray[Any], references_N: npt.NDArray[Any]) -> Score:
        """Count the answers that are the label: uint16 (N,) against uint16 (N,)."""
        return {ITEMS: len(answers_N), CORRECT: int(np.count_nonzero(answers_N == references_N))}

    def kept(self, answer: bytes) -> bytes:
        """Return what a ledger keeps of a frame's answer: all of it, two bytes per item."""
        return answer
