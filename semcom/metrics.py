"""Accuracy, its interval, and percentiles of durations."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

Z_95 = 1.959963984540054


def wilson_interval(correct: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a proportion; (0, 1) where nothing was seen.

    Returns:
        Lower and upper end, 0..1; 95 % by default.
    """
    if total == 0:
        return 0.0, 1.0
    share = correct / total
    scale = 1.0 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * sqrt(share * (1.0 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile of durations, linear between neighbours; 0 where there are none."""
    return float(np.percentile(np.asarray(values), share)) if len(values) else 0.0
