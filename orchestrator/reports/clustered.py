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
from typing import cast

import numpy as np

from orchestrator.results.cluster_sums import ClusterKind, ClusterSums, Counts
from semcom.statistics import Z_95
from semcom.tasks.metric import Interval, Metric, within
from semcom.tasks.score import ITEMS, Score

LEAST_CLUSTERS = 20  # fewer clusters do not determine their variance
STEP = 1e-4  # relative, of a sum: for a derivative


def mean_error(of: str, points: Sequence[ClusterSums]) -> float | None:
    """Return the standard error of sum(of) / items over points of the same items.

    None if the points have different items or too few clusters.
    """
    totals = cluster_totals(points, of)
    if totals is None:
        return None
    sums, items = totals
    residuals = sums - sums.sum() / items.sum() * items
    clusters = len(items)
    return sqrt(clusters / (clusters - 1) * float((residuals**2).sum())) / float(items.sum())


def linear_error(metric: Metric, points: Sequence[ClusterSums]) -> float | None:
    """Return the standard error of any metric over points of the same items (delta method).

    The influence of a cluster is the derivative of the metric along its sums. None if the points
    have different items, too few clusters, or lack the metric's sums.
    """
    if not points or not _are_alike(points):
        return None
    names = [name for name in points[0].sums if all(name in point.sums for point in points)]
    by_cluster = {name: _over(points, name) for name in names}
    whole = {name: float(sums.sum()) for name, sums in by_cluster.items()}
    influence = np.zeros(len(points[0].items))
    try:
        for name, total in whole.items():
            if step := STEP * total:
                up, down = (
                    metric.value(cast(Score, whole | {name: total + way})) for way in (step, -step)
                )
                influence += (up - down) / (2 * step) * by_cluster[name]
    except KeyError:
        return None
    clusters = len(influence)
    residuals = influence - influence.mean()
    return sqrt(clusters / (clusters - 1) * float((residuals**2).sum()))


def clustered_interval(
    metric: Metric, score: Score, repeats: int, points: Sequence[ClusterSums]
) -> Interval:
    """Return the 95 % interval of a metric over points of the same items.

    Args:
        metric: the metric.
        score: score of all points together.
        repeats: how often each item is counted in the score.
        points: points by cluster; if they give no error, repeated items count as one draw each, as
            if all repetitions agreed, which is the widest interval.
    """
    if repeats <= 1:
        return metric.interval(score)
    value = metric.value(score)
    if metric.of is None:
        error = linear_error(metric, points)
    else:
        steps = mean_error(metric.of, points)
        error = None if steps is None else metric.step * steps
    if error is None or error == 0.0:
        return _as_if_once(metric, score, repeats)
    if _is_share(metric):
        worth = value * (1.0 - value) / error**2 if 0 < value < 1 else 0.0
        # Negative correlation by chance must not make an item count more than once.
        worth = min(worth, float(score[ITEMS]))
        return wilson_of(value, worth) if worth else _as_if_once(metric, score, repeats)
    return within(metric.limits, (value - Z_95 * error, value + Z_95 * error))


def _is_share(metric: Metric) -> bool:
    """Return whether each item is correct or wrong, so that Wilson's interval applies."""
    return metric.limits == (0.0, 1.0) and metric.of is not None and metric.step == 1.0


def _as_if_once(metric: Metric, score: Score, repeats: int) -> Interval:
    value = metric.value(score)
    if _is_share(metric):
        return wilson_of(value, score[ITEMS] / repeats)
    low, high = metric.interval(score)
    wider = (value - sqrt(repeats) * (value - low), value + sqrt(repeats) * (high - value))
    return within(metric.limits, wider)


def wilson_of(share: float, worth: float, z: float = Z_95) -> Interval:
    """Return Wilson's interval of a share over an effective number of independent items."""
    scale = 1.0 + z * z / worth
    middle = (share + z * z / (2 * worth)) / scale
    half = z / scale * sqrt(share * (1.0 - share) / worth + z * z / (4 * worth * worth))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """The difference of two systems on the same items and draws.

    Attributes:
        value: difference of the two means.
        error: its standard error.
        kind: kind of cluster.
        clusters: number of clusters.
        only_one, only_other: answers that only one of the two has right; None if clusters are
            frames, which have only sums.
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
        """The two-sided p-value."""
        if self.error == 0.0:
            return 1.0 if self.value == 0.0 else 0.0
        return erfc(abs(self.value) / self.error / sqrt(2.0))


def paired_difference(
    of: str, one: Sequence[ClusterSums], other: Sequence[ClusterSums]
) -> PairedDifference | None:
    """Return the difference of two systems; points of both in one order, draw by draw.

    None if they did not have the same items, or too few clusters.
    """
    if not one or len(one) != len(other):
        return None
    if not all(a.is_like(b) for a, b in zip(one, other, strict=True)):
        return None
    first, second = cluster_totals(one, of), cluster_totals(other, of)
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


def cluster_totals(points: Sequence[ClusterSums], of: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return `of` and items of each cluster over all points, float64 (C,)."""
    if not points or any(of not in point.sums for point in points):
        return None
    if not _are_alike(points):
        return None
    return _over(points, of), _over(points, ITEMS)


def _are_alike(points: Sequence[ClusterSums]) -> bool:
    """Return whether points have the same items and enough clusters."""
    first = points[0]
    return len(first.items) >= LEAST_CLUSTERS and all(first.is_like(point) for point in points)


def _over(points: Sequence[ClusterSums], name: str) -> np.ndarray:
    """Return a sum of each cluster over all points, float64 (C,)."""
    found: Counts = np.sum([point.sums[name] for point in points], axis=0)
    return found.astype(np.float64)
