"""An item of a run and its answers, with everything sent and received as arrays.

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
        score: sums for this item alone.
        values: each metric of the task for this item alone.
        answer: in the form of the codec's task: a class, an image uint8 (H, W, 3), token ids.
        text: the answer in words: the name of a class, or a sentence; None for images.
        right: whether it equals the item sent; None for images.
        outputs: the codec's outputs before they became an answer, such as logits.
        sent: the codeword (K,), without unused symbols.
        received: the codeword after the channel (K,); for superposed links their sum.
        csi: channel state (M,); None if the receiver had none.
        equalized: the decoder's input (K,); None for superposed links.
        feature_sent: the encoded feature; None if the codec's family has no features.
        feature_recovered: the feature recovered by the receiver.
        confidence: the answer's softmax probability; None if the outputs are not logits.
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
        """Euclidean distance of the features, divided by the norm of the sent one."""
        if self.feature_sent is None or self.feature_recovered is None:
            return None
        return _relative(self.feature_recovered, self.feature_sent)

    @property
    def symbol_distance(self) -> float | None:
        """Distance of equalised and sent symbols, divided by the norm of the sent codeword."""
        return None if self.equalized is None else _relative(self.equalized, self.sent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """An item that a link sent, and its answers by ascending SNR.

    Attributes:
        number: number from 0, in the order in which the link sent its items.
        index: index in the test split of its data set.
        content: the item sent: an image uint8 (H, W, 3), or token
            ids uint16 (L,).
        text: the sentence, or the name of an image's class; None if it has none.
        label: its class; None if the data set has none.
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
