"""Check the words of sentences that a codec encodes.

Shape legend: N sentences, L words of the longest one, padded with PAD.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.errors import CheckpointError
from semcom.vocabulary import PAD


def words_of_each(items: npt.NDArray[Any], *, longest: int) -> npt.NDArray[np.int64]:
    """Return the number of words of each sentence: uint16 (N, L) -> int64 (N,).

    Raises:
        CheckpointError: a sentence is too long for the codec.
    """
    words_N: npt.NDArray[np.int64] = (items != PAD).sum(axis=1)
    found = int(words_N.max(initial=0))
    if found > longest:
        raise CheckpointError(f"the codec takes sentences of {longest} words, not of {found}")
    return words_N


def check_words(items: npt.NDArray[Any], *, vocabulary: int) -> None:
    """Refuse anything but sentences of token ids below `vocabulary`.

    Raises:
        CheckpointError: the items are not sentences, or have a token that the codec does not have.
    """
    if items.ndim != 2 or items.dtype != np.uint16:
        raise CheckpointError(f"the codec takes sentences, not {items.dtype} {items.shape}")
    highest = int(items.max(initial=0))
    if highest >= vocabulary:
        raise CheckpointError(f"the codec has {vocabulary} tokens, not token {highest}")
