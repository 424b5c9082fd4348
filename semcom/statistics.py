"""Intervals of shares, and percentiles of durations."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

Z_95 = 1.959963984540054


def wilson_interval(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; (0, 1) without observations.

    It contains `hits / total` as a float despite rounding: the upper end is exactly 1 if all are
    hits, the lower end exactly 0 if none is.

    Returns:
        Lower and upper end, 0..1; 95 % by default.
    """
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    scale = 1.0 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * sqrt(share * (1.0 - share) / total + z * z / (4 * total * total))
    # At 0 and 1 the end of the interval is the share itself, which rounding can miss.
    low = 0.0 if hits == 0 else max(0.0, min(share, middle - half))
    high = 1.0 if hits == total else min(1.0, max(share, middle + half))
    return low, high


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of durations, linear between neighbours; 0 if there are none."""
    return float(np.percentile(np.asarray(values), share)) if len(values) else 0.0
