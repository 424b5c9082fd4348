"""Scores: named sums over items, so that pooling is addition and exact in any order."""

from __future__ import annotations

from collections.abc import Mapping

# Bound of one sum of a frame: it fits into 64 bits on the wire and in the ledger.
MAX_SUM = 2**63 - 1
ITEMS = "items"

Score = Mapping[str, int]
"""Sums by name; `items` is always there. Values are integers: real ones are stored as multiples of
a fixed step that the task states, rounded once per item. So a sum does not depend on how a run was
split into frames, seeds or hosts."""


def merged(first: Score, second: Score) -> dict[str, int]:
    """Return the score of all items of two scores of one task.

    Raises:
        ValueError: their sums have different names.
    """
    if first.keys() != second.keys():
        raise ValueError(f"scores of different tasks: {sorted(first)} and {sorted(second)}")
    return {name: first[name] + second[name] for name in first}
