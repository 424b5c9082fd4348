"""The score of a point by cluster, so that repeated items count as one draw.

All seeds of a channel have the same items, so their answers are not independent: an interval over
all seeds treats each item, or each frame of items, as one draw. A ledger holds sums by frame; if
the data set is available, they are split by item (`orchestrator.results.item_sums`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from semcom.tasks.score import ITEMS, Score

Counts = npt.NDArray[np.int64]
ClusterKind = Literal["frame", "item"]


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """The score of a point by cluster.

    Attributes:
        dataset_digest: digest of the data set of the items.
        kind: what a cluster is.
        sums: each sum of the score by cluster (C,), in the order of the items.
        first: the item with which the first cluster begins.
    """

    dataset_digest: str
    kind: ClusterKind
    sums: Mapping[str, Counts]
    first: int = 0

    @property
    def items(self) -> Counts:
        """Return the number of items in each cluster (C,)."""
        return self.sums[ITEMS]

    @property
    def total(self) -> Score:
        """The sum over all clusters."""
        return {name: int(counts.sum()) for name, counts in self.sums.items()}

    def is_like(self, other: ClusterSums) -> bool:
        """Return whether clusters with the same number hold the same items."""
        mine, others = ((each.dataset_digest, each.kind, each.first) for each in (self, other))
        return mine == others and np.array_equal(self.items, other.items)


def by_frame(dataset_digest: str, scores: Sequence[Score], *, first: int = 0) -> ClusterSums:
    """Return the scores of frames as clusters, in order; `first` is their first item."""
    sums = {name: np.array([score[name] for score in scores], np.int64) for name in scores[0]}
    return ClusterSums(dataset_digest, "frame", sums, first)
