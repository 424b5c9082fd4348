"""Levenshtein's distance between sequences of integers, many pairs at a time.

Shape legend: N pairs, A length of the longest first sequence, B of the longest second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
FILL_A, FILL_B = -1, -2  # equal to no number, not even to each other


def edit_distances(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> Integers:
    """Return the fewest insertions, deletions and substitutions between each pair, int64 (N,)."""
    a_NA, a_lengths_N = _padded(first, FILL_A)
    b_NB, b_lengths_N = _padded(second, FILL_B)
    places = np.arange(b_NB.shape[1] + 1)
    row_NB = np.broadcast_to(places, (len(first), len(places))).copy()
    pairs = np.arange(len(first))
    distances_N: Integers = np.where(a_lengths_N == 0, b_lengths_N, 0)
    for at in range(a_NA.shape[1]):
        replaced = row_NB[:, :-1] + (a_NA[:, at : at + 1] != b_NB)
        row_NB += 1  # deletions
        row_NB[:, 1:] = np.minimum(row_NB[:, 1:], replaced)
        # Insertions: each costs one more than the entry to its left.
        row_NB = np.minimum.accumulate(row_NB - places, axis=1) + places
        ends = a_lengths_N == at + 1
        distances_N[ends] = row_NB[pairs[ends], b_lengths_N[ends]]
    return distances_N


def _padded(sequences: Sequence[Sequence[int]], fill: int) -> tuple[Integers, Integers]:
    lengths_N = np.array([len(each) for each in sequences], dtype=np.int64)
    rows = np.full((len(sequences), int(lengths_N.max(initial=0))), fill, dtype=np.int64)
    for row, each in zip(rows, sequences, strict=True):
        row[: len(each)] = list(each)  # of bytes, their values
    return rows, lengths_N
