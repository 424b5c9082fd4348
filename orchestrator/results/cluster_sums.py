"""The score of a point by cluster, so that items which were repeated count as one draw.

Every seed of a channel meets the same items. Their answers are not independent: an interval over
all seeds takes each item, or each frame of items, as one draw. A ledger holds sums by frame; with
the data set at hand they are taken apart by item (`orchestrator.results.item_sums`).
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
        dataset_digest: whose items they are.
        kind: what a cluster is.
        sums: each sum of the score by cluster (C,), in the order of the items.
    """

    dataset_digest: str
    kind: ClusterKind
    sums: Mapping[str, Counts]

    @property
    def items(self) -> Counts:
        """How many items each cluster holds (C,)."""
        return self.sums[ITEMS]

    @property
    def total(self) -> Score:
        """The score of all of them."""
        return {name: int(counts.sum()) for name, counts in self.sums.items()}

    def is_like(self, other: ClusterSums) -> bool:
        """Return whether clusters of one number hold the same items."""
        return (self.dataset_digest, self.kind) == (other.dataset_digest, other.kind) and (
            np.array_equal(self.items, other.items)
        )


def by_frame(dataset_digest: str, scores: Sequence[Score]) -> ClusterSums:
    """Return the scores of frames, in their order, as clusters."""
    sums = {name: np.array([score[name] for score in scores], np.int64) for name in scores[0]}
    return ClusterSums(dataset_digest, "frame", sums)
