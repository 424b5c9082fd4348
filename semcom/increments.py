"""Ordered codewords: how many of their increments are sent of each item.

A codec of several lengths sends codewords of I increments. Each has unit mean power by itself, so
the first n of them are a codeword, too. The noise of a symbol is keyed by its place: a longer
codeword meets the same noise in its first symbols.

With `confidence` an item is sent in rounds. The first one sends one increment; the receiver answers
with a class and how sure it is of it; where that is below the threshold, the next round sends one
increment more. A frame of a later round holds the earlier increments again, which the channel gives
the same noise: it stands for a receiver that has kept them, and none has to.

Shape legend: N items of a frame, K complex symbols of a whole codeword, I increments.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.used_symbols import Symbols, Used, format_used, used_mask

MAX_INCREMENTS = 16
CERTAIN = 65_535  # how a confidence of 1 is answered

Counts = npt.NDArray[np.uint16]  # (N,), of increments
Number = Annotated[int, Field(ge=1, le=MAX_INCREMENTS)]
Confidence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Rate(BaseModel):
    """A number of increments to be sent, or the confidence until which more are sent.

    Attributes:
        increments: of every item; None with a confidence.
        confidence: probability of the answered class from which on no more are sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    increments: Number | None = None
    confidence: Confidence | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.increments is None) == (self.confidence is None):
            raise ValueError("give either increments or confidence")
        return self

    @property
    def label(self) -> str:
        """Short name for tables."""
        if self.confidence is not None:
            return f"confidence={self.confidence:g}"
        return f"increments={self.increments}"


def first_counts(rate: Rate | None, items: int, *, increments: int) -> Counts:
    """Return how many increments the first round sends of each item; without a rate all.

    A codec that has fewer than the rate says sends all that it has.
    """
    number = increments if rate is None else min(increments, rate.increments or 1)
    return np.full(items, number, dtype=np.uint16)


def cut(symbols_NK: Symbols, counts_N: Counts, lengths: tuple[int, ...]) -> tuple[Symbols, bytes]:
    """Return codewords with 0 after the increments that are sent, and what frames say of that.

    `lengths` are the symbols of one increment, of two, ...
    """
    symbols = symbols_NK.shape[1]
    used_N: Used = np.array(lengths, dtype=np.uint16)[counts_N - 1]
    sent_NK = np.where(used_mask(used_N, symbols), symbols_NK, np.complex64(0))
    return sent_NK, format_used(used_N, symbols)


def further_counts(
    rate: Rate | None, counts_N: Counts, confidences_N: Counts, *, increments: int
) -> Counts | None:
    """Return how many increments the next round sends of each item; None: there is none.

    `confidences_N`: 0..65535, of what was answered to `counts_N` increments.
    """
    if rate is None or rate.confidence is None:
        return None
    unsure_N = confidences_N < np.float64(CERTAIN) * rate.confidence
    more_N = unsure_N & (counts_N < increments)
    return counts_N + more_N.astype(np.uint16) if more_N.any() else None


def confidences_of(logits_NT: npt.NDArray[np.float32]) -> Counts:
    """Return the softmax probability of each row's largest logit, as 0..65535."""
    above_NT = np.exp((logits_NT - logits_NT.max(axis=1, keepdims=True)).astype(np.float64))
    confidences: Counts = np.floor(CERTAIN / above_NT.sum(axis=1)).astype(np.uint16)
    return confidences


def as_kept(answers_N2: npt.NDArray[Any], counts_N: Counts) -> npt.NDArray[Any]:
    """Return answers (class, confidence) as they are judged and kept: (class, increments)."""
    return np.stack([answers_N2[:, 0], counts_N], axis=1)
