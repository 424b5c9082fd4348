"""Verdicts on claims, each from an interval that excludes the alternative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, mean, stdev
from typing import Literal

from semcom.statistics import Z_95

Verdict = Literal["reproduced", "refuted", "not distinguishable", "no fit comparison"]
VERDICTS_NOTE = (
    "Reproduced: the whole 95 % interval is at the paper's number or above it. Refuted: the "
    "whole interval is below it. Not distinguishable: the interval contains the paper's number. "
    "Not comparable: one side is not what the paper compares. The intervals treat systems as "
    "independent; because systems share images, the true interval of a ratio is only narrower."
)
# Student's t at 95 %, two-sided, by degrees of freedom; beyond these the normal distribution is
# close enough.
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A value and its 95 % interval, whose ends are equal if the value was counted exactly."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """Return it in percent, with its interval if it has one."""
        shown = f"{100 * self.value:.2f} %"
        if self.low == self.high:
            return shown
        return f"{shown} ({100 * self.low:.2f} to {100 * self.high:.2f})"


def verdict_of(measured: Measured, at_least: float) -> Verdict:
    """Return the verdict of a measurement on the claim that a value is at least this large."""
    if measured.low >= at_least:
        return "reproduced"
    return "refuted" if measured.high < at_least else "not distinguishable"


def exactly(value: float) -> Measured:
    """Return a value that was counted exactly."""
    return Measured(value=value, low=value, high=value)


def relative_error(value: float, error: float, other: float, other_error: float) -> float:
    """Return the relative standard error of value / other, as if they were independent."""
    return sqrt((error / value) ** 2 + (other_error / other) ** 2)


def least_of(ratios: Mapping[float, tuple[float, float]]) -> Measured:
    """Return the least of several values with standard errors, with an interval over all.

    Each gets its share of the 5 % (Bonferroni), because the least one is selected.
    """
    z = NormalDist().inv_cdf(1.0 - 0.025 / len(ratios))
    values = list(ratios.values())
    return Measured(
        value=min(value for value, _ in values),
        low=min(value - z * error for value, error in values),
        high=min(value + z * error for value, error in values),
    )


def around(value: float, error: float) -> Measured:
    """Return a value with the interval of a normal estimate."""
    return Measured(value=value, low=value - Z_95 * error, high=value + Z_95 * error)


def saved_share(ours: Sequence[float], theirs: Sequence[float]) -> Measured | None:
    """Return 1 - mean(ours) / mean(theirs) of a few seeds each; None for fewer than two."""
    smallest = min(len(ours), len(theirs))
    if smallest < 2:
        return None
    first, second = mean(ours), mean(theirs)
    errors = [stdev(values) / sqrt(len(values)) for values in (ours, theirs)]
    ratio = first / second
    error = ratio * sqrt((errors[0] / first) ** 2 + (errors[1] / second) ** 2)
    t = T_95[smallest - 2] if smallest - 2 < len(T_95) else Z_95
    return Measured(value=1 - ratio, low=1 - ratio - t * error, high=1 - ratio + t * error)
