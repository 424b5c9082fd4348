"""Intervals and paired differences over answers to the same items: each item is one draw.

The value of a metric that is a mean, sum(of) / items, over repeated items has the variance of its
cluster totals (a ratio estimator; linearised):

    var = C / (C - 1) * sum_c (of_c - value items_c)^2 / (sum_c items_c)^2

A difference of two systems on the same draws has the variance of its cluster differences; with an
item per cluster and one seed that is McNemar's test, with more seeds Durkalski's for clustered
pairs. Shape legend: C clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np

from orchestrator.results.cluster_sums import ClusterKind, ClusterSums, Counts
from semcom.statistics import Z_95
from semcom.tasks.metric import Interval, Metric
from semcom.tasks.score import ITEMS, Score

LEAST_CLUSTERS = 20  # fewer say too little of their own spread


def mean_error(of: str, points: Sequence[ClusterSums]) -> float | None:
    """Return the standard error of sum(of) / items over points of the same items.

    None where the points are not of the same items, or of too few clusters.
    """
    totals = _totals(points, of)
    if totals is None:
        return None
    sums, items = totals
    residuals = sums - sums.sum() / items.sum() * items
    clusters = len(items)
    return sqrt(clusters / (clusters - 1) * float((residuals**2).sum())) / float(items.sum())


def clustered_interval(
    metric: Metric, score: Score, repeats: int, points: Sequence[ClusterSums]
) -> Interval:
    """Return the 95 % interval of a metric over points of the same items.

    Args:
        metric: of the points.
        score: of all of them together.
        repeats: how often each item is counted in the score.
        points: by cluster; where they do not tell, repeated items are taken as one draw each,
            as if every repetition gave the same answer: no interval is wider.
    """
    if repeats <= 1:
        return metric.interval(score)
    value = metric.value(score)
    error = None if metric.of is None else mean_error(metric.of, points)
    if error is None or error == 0.0:
        return _as_if_once(metric, score, repeats)
    if metric.limits == (0.0, 1.0):
        worth = value * (1.0 - value) / (error / metric.step) ** 2 if 0 < value < 1 else 0.0
        # Answers may repel each other by chance; that is no reason to count one twice.
        worth = min(worth, float(score[ITEMS]))
        return wilson_of(value, worth) if worth else _as_if_once(metric, score, repeats)
    return value - Z_95 * metric.step * error, value + Z_95 * metric.step * error


def _as_if_once(metric: Metric, score: Score, repeats: int) -> Interval:
    value = metric.value(score)
    if metric.limits == (0.0, 1.0) and metric.of is not None:
        return wilson_of(value, score[ITEMS] / repeats)
    low, high = metric.interval(score)
    return value - sqrt(repeats) * (value - low), value + sqrt(repeats) * (high - value)


def wilson_of(share: float, worth: float, z: float = Z_95) -> Interval:
    """Return Wilson's interval of a share that so many independent items are worth."""
    scale = 1.0 + z * z / worth
    middle = (share + z * z / (2 * worth)) / scale
    half = z / scale * sqrt(share * (1.0 - share) / worth + z * z / (4 * worth * worth))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """One system less another one, on the same items and draws.

    Attributes:
        value: difference of the two means.
        error: its standard error.
        kind: what a cluster is.
        clusters: how many there are.
        only_one, only_other: answers that only one of the two has right; None where clusters are
            frames, which hold sums alone.
    """

    value: float
    error: float
    kind: ClusterKind
    clusters: int
    only_one: int | None
    only_other: int | None

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference."""
        return self.value - Z_95 * self.error, self.value + Z_95 * self.error

    @property
    def p(self) -> float:
        """The p-value, two-sided: how likely a difference as large is where there is none."""
        if self.error == 0.0:
            return 1.0 if self.value == 0.0 else 0.0
        return erfc(abs(self.value) / self.error / sqrt(2.0))


def paired_difference(
    of: str, one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> PairedDifference | None:
    """Return the difference of two systems; points of both in one order, draw by draw.

    None where they did not meet the same items, or too few clusters of them.
    """
    if not one or len(one) != len(other):
        return None
    if not all(a.is_like(b) for a, b in zip(one, other, strict=True)):
        return None
    first, second = _totals(one, of), _totals(other, of)
    if first is None or second is None:
        return None
    items = first[1]
    differences = first[0] - second[0]
    value = float(differences.sum() / items.sum())
    residuals = differences - value * items
    clusters = len(items)
    error = sqrt(clusters / (clusters - 1) * float((residuals**2).sum())) / float(items.sum())
    only_one: int | None = None
    only_other: int | None = None
    if one[0].kind == "item":
        pairs = list(zip(one, other, strict=True))
        only_one = sum(int((a.sums[of] > b.sums[of]).sum()) for a, b in pairs)
        only_other = sum(int((a.sums[of] < b.sums[of]).sum()) for a, b in pairs)
    return PairedDifference(
        value=value, error=error, kind=one[0].kind, clusters=clusters,
        only_one=only_one, only_other=only_other,
    )  # fmt: skip


def _totals(points: Sequence[ClusterSums], of: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return `of` and items of each cluster over all points, float64 (C,)."""
    if not points or any(of not in point.sums for point in points):
        return None
    if len(points[0].items) < LEAST_CLUSTERS or not all(points[0].is_like(p) for p in points):
        return None

    def total(name: str) -> np.ndarray:
        found: Counts = np.sum([point.sums[name] for point in points], axis=0)
        return found.astype(np.float64)

    return total(of), total(ITEMS)
