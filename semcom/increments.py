"""Ordered codewords: the number of increments sent for each item.

A codec of several lengths sends codewords of I increments. Each has unit mean power, so the first n
of them are also a codeword. The noise of a symbol is keyed by its position: a longer codeword has
the same noise in its first symbols.

With `confidence` an item is sent in rounds. The first one sends one increment; the receiver answers
with a class and its confidence; if that is below the threshold, the next round sends one more
increment. A frame of a later round repeats the earlier increments, to which the channel adds the
same noise: this is equivalent to a receiver that has stored them, but none has to.

With `by_snr` the codec's table (`semcom.snr_rates`) gives the number of increments at the point's
SNR. A plan has such a rate; a link is told the number.

Shape legend: N items of a frame, K complex symbols of a whole codeword, I increments.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.errors import ProtocolError
from semcom.used_symbols import Symbols, Used, format_used, used_mask

MAX_INCREMENTS = 16
CERTAIN = 65_535  # value of a confidence of 1

Counts = npt.NDArray[np.uint16]  # (N,), of increments
Number = Annotated[int, Field(ge=1, le=MAX_INCREMENTS)]
Confidence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Rate(BaseModel):
    """A number of increments to be sent, or what decides it.

    Attributes:
        increments: number for every item; None with a confidence or a table.
        confidence: probability of the answered class at which no more are sent.
        by_snr: the codec's table gives the number of increments.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    increments: Number | None = None
    confidence: Confidence | None = None
    by_snr: bool = Field(default=False, exclude_if=lambda by_snr: not by_snr)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [self.increments is not None, self.confidence is not None, self.by_snr]
        if sum(given) != 1:
            raise ValueError("give either increments or confidence or by_snr")
        return self

    @property
    def label(self) -> str:
        """Short name for tables."""
        if self.confidence is not None:
            return f"confidence={self.confidence:g}"
        if self.by_snr:
            return "increments=snr"
        return f"increments={self.increments}"


def first_counts(rate: Rate | None, items: int, *, increments: int) -> Counts:
    """Return how many increments the first round sends for each item; all without a rate.

    A codec with fewer increments than the rate sends all of them.

    Raises:
        ProtocolError: the rate needs a table, and there is none.
    """
    if rate is not None and rate.by_snr:
        raise ProtocolError("unexpected", "a rate by SNR without the number of increments")
    number = increments if rate is None else min(increments, rate.increments or 1)
    return np.full(items, number, dtype=np.uint16)


def cut(symbols_NK: Symbols, counts_N: Counts, lengths: tuple[int, ...]) -> tuple[Symbols, bytes]:
    """Return codewords with 0 after the increments that are sent, and the `used` of their frame.

    `lengths` are the symbols of one increment, of two, ...
    """
    symbols = symbols_NK.shape[1]
    used_N: Used = np.array(lengths, dtype=np.uint16)[counts_N - 1]
    sent_NK = np.where(used_mask(used_N, symbols), symbols_NK, np.complex64(0))
    return sent_NK, format_used(used_N, symbols)


def further_counts(
    rate: Rate | None, counts_N: Counts, confidences_N: Counts, *, increments: int
) -> Counts | None:
    """Return how many increments the next round sends for each item; None if there is none.

    `confidences_N`: 0..65535, those of the answers to `counts_N` increments.
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
