"""An item of a run and its answers, with all that was sent and received, as arrays.

Shape legend: K complex symbols, M columns of channel state, D feature width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.tasks.score import Score

Symbols = npt.NDArray[np.complex64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemAnswer:
    """Outcome of an item at one point.

    Attributes:
        point: index into the plan's points.
        snr_db: Es/N0 per complex symbol.
        score: sums of the item alone.
        values: each metric of the task, of the item alone.
        answer: as the codec's task has it: a class, an image uint8 (H, W, 3), token ids.
        text: the answer in words: the name of a class, or a sentence; None of images.
        right: whether it is what was sent; None of images, which are never quite.
        outputs: what the codec computed before it became an answer, as logits.
        sent: the codeword (K,), without symbols that it does not use.
        received: as it left the channel (K,); of superposed links their sum.
        csi: channel state (M,); None where the receiver was told none.
        equalized: what the decoder saw (K,); None where links were superposed.
        feature_sent: what was encoded, None where the codec's family has no features.
        feature_recovered: what the receiver recovered of it.
        confidence: the answer's share of a softmax over the outputs; None where they are no logits.
    """

    point: int
    snr_db: float
    score: Score
    values: Mapping[str, float]
    answer: npt.NDArray[Any]
    text: str | None
    right: bool | None
    outputs: Values
    sent: Symbols
    received: Symbols
    csi: Symbols | None
    equalized: Symbols | None
    feature_sent: Values | None
    feature_recovered: Values | None
    confidence: float | None

    @property
    def feature_distance(self) -> float | None:
        """Euclidean distance of the features over the length of the one that was sent."""
        if self.feature_sent is None or self.feature_recovered is None:
            return None
        return _relative(self.feature_recovered, self.feature_sent)

    @property
    def symbol_distance(self) -> float | None:
        """Euclidean distance of equalised and sent symbols over the length of the sent codeword."""
        return None if self.equalized is None else _relative(self.equalized, self.sent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """An item that a link sent, and its answers by rising SNR.

    Attributes:
        number: from 0, in the order in which the link sent its items.
        index: in the test split of its data set.
        content: what was sent: an image uint8 (H, W, 3), or token ids uint16 (L,).
        text: it in words: the sentence, or the name of an image's class; None where it has none.
        label: its class; None where the data set has none.
        answers: one for each SNR.
    """

    number: int
    index: int
    content: npt.NDArray[Any]
    text: str | None
    label: int | None
    answers: tuple[ItemAnswer, ...]


def _relative(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    length = float(np.linalg.norm(wanted))
    distance = float(np.linalg.norm(found - wanted))
    return distance / length if length else distance


def confidence_of(outputs: Values) -> float:
    """Return the largest share of a softmax over logits (T,)."""
    shifted = np.exp(outputs.astype(np.float64) - outputs.max())
    return float(shifted.max() / shifted.sum())
