"""Two sides of a claim: a metric of a codec under one condition, and differences between codecs.

From runs and evaluations differences are paired by item, or by frame; from `results.csv` alone both
sides count as if they had met other items, which only widens intervals.

Shape legend: C clusters of items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import numpy.typing as npt

from orchestrator.reports.clustered import LEAST_CLUSTERS
from orchestrator.reports.comparison import Draw
from orchestrator.reports.curves import CurvePoint
from orchestrator.reports.paired import difference_over, ratio_over
from orchestrator.reports.verdicts import relative_error
from orchestrator.results.cluster_sums import ClusterSums
from orchestrator.results.summary import PointSummary
from semcom.statistics import Z_95
from semcom.tasks.metric import Metric

Estimate = tuple[float, float]  # a value and its standard error
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """A codec under one condition: all links and seeds together, and each draw by itself."""

    metric: Metric
    point: CurvePoint
    draws: Mapping[Draw, PointSummary] = field(default_factory=dict)

    @property
    def estimate(self) -> Estimate:
        """The value of the metric and its standard error."""
        low, high = self.point.interval(self.metric)
        return self.metric.value(self.point.score), (high - low) / (2 * Z_95)

    def less(self, other: Side) -> Estimate:
        """Return the difference of two sides and its standard error."""
        of, step = self.metric.of, self.metric.step
        if of is not None:
            if (pair := self._paired(other)) and (found := difference_over(of, *pair)):
                return step * found.value, step * found.error
            if (items := _item_difference(of, self._clusters, other._clusters)) is not None:
                return step * items[0], step * items[1]
        (mine, error), (theirs, other_error) = self.estimate, other.estimate
        return mine - theirs, sqrt(error**2 + other_error**2)

    def change_from(self, other: Side) -> Estimate | None:
        """Return the relative change from another codec, with its error; None from nothing."""
        (mine, error), (theirs, other_error) = self.estimate, other.estimate
        if not mine or not theirs:
            return None
        of = self.metric.of
        if of and (pair := self._paired(other)) and (found := ratio_over(of, *pair)):
            return found[0] - 1.0, found[1]
        ratio = mine / theirs
        return ratio - 1.0, ratio * relative_error(mine, error, theirs, other_error)

    @property
    def _clusters(self) -> list[ClusterSums]:
        """Return the clusters of all draws; of none where some are not known."""
        known = [each for point in self.draws.values() if (each := point.clusters) is not None]
        return known if len(known) == len(self.draws) else []

    def _paired(self, other: Side) -> tuple[list[ClusterSums], list[ClusterSums]] | None:
        """Return clusters of both, draw by draw; None where they met different draws."""
        if not self.draws or self.draws.keys() != other.draws.keys():
            return None
        mine, theirs = (
            [each for draw in self.draws if (each := side.draws[draw].clusters) is not None]
            for side in (self, other)
        )
        return (mine, theirs) if len(mine) == len(theirs) == len(self.draws) else None


def _item_difference(
    of: str, one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> Estimate | None:
    """Return the difference of two means over the same items that met different draws.

    Users of a slot and a link by itself send the same images: each cluster of images is one draw.
    None where items or clusters are not the same.
    """
    mine, theirs = _means_over_items(of, one), _means_over_items(of, other)
    if mine is None or theirs is None:
        return None
    (items_C, mine_C), (other_items_C, theirs_C) = mine, theirs
    if len(items_C) < LEAST_CLUSTERS or not np.array_equal(items_C, other_items_C):
        return None
    if one[0].dataset_digest != other[0].dataset_digest or one[0].kind != other[0].kind:
        return None
    shares_C = items_C / items_C.sum()
    differences_C = mine_C - theirs_C
    value = float((shares_C * differences_C).sum())
    residuals_C = shares_C * (differences_C - value)
    clusters = len(items_C)
    return value, sqrt(clusters / (clusters - 1) * float((residuals_C**2).sum()))


def _means_over_items(
    of: str, points: Sequence[ClusterSums]
) -> tuple[npt.NDArray[np.int64], Values] | None:
    """Return items (C,) and mean (C,) of each cluster, in the order of the data set.

    Links of a group begin with other items: their clusters are put into one order. None where a
    cluster of one link is none of another.
    """
    if not points or any(of not in each.sums for each in points):
        return None
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for each in points:
        count = int(each.items.sum())
        starts_C = (each.first + np.cumsum(each.items) - each.items) % count
        if ((starts_C + each.items) > count).any():
            return None  # a cluster that holds the last items and the first ones
        order_C = np.argsort(starts_C)
        found.append((each.items[order_C], each.sums[of][order_C]))
    items_C = found[0][0]
    if any(not np.array_equal(items_C, each) for each, _ in found):
        return None
    total_C = np.sum([sums_C for _, sums_C in found], axis=0)
    return items_C, total_C / (len(found) * items_C)
