"""Metrics: numbers that people read, made of the sums of a Score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from semcom.statistics import Z_95, wilson_interval
from semcom.tasks.score import ITEMS, Score

Better = Literal["higher", "lower"]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that is made of a score.

    Attributes:
        name: of the column in tables and of the label in metrics.
        title: for people.
        unit: as it is printed; "%" of a share is printed as 100 times its value.
        better: which direction is.
        digits: after the point, where it is printed.
        limits: of the axis in plots; None where the values decide.
        value: of a score with at least one item.
        interval: its 95 % interval.
        of: the sum that the value is made of, where it is `step * of / items` and nothing else:
            so that a monitoring system can compute it from counters. None where it is not.
        step: see `of`.
    """

    name: str
    title: str
    unit: str
    better: Better
    digits: int
    limits: tuple[float | None, float | None]
    value: Callable[[Score], float]
    interval: Callable[[Score], Interval]
    of: str | None = None
    step: float = 1.0

    @property
    def scale(self) -> float:
        """What a value is multiplied by where it is printed."""
        return 100.0 if self.unit == "%" else 1.0

    def printed(self, score: Score) -> str:
        """Return the value with its interval, as a cell of a table."""
        value, low, high = (
            f"{self.scale * each:.{self.digits}f}"
            for each in (self.value(score), *self.interval(score))
        )
        return f"{value} ({low} to {high})"


def share(of: str) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and Wilson interval of the share of items that a sum counts."""

    def value(score: Score) -> float:
        return score[of] / score[ITEMS]

    def interval(score: Score) -> Interval:
        return wilson_interval(score[of], score[ITEMS])

    return value, interval


def mean(of: str, step: float) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and normal interval of a mean over items.

    The sum `of` counts steps of an item's value, the sum `of`_squares their squares.
    """

    def value(score: Score) -> float:
        return step * score[of] / score[ITEMS]

    def interval(score: Score) -> Interval:
        items, total = score[ITEMS], score[of]
        if items < 2:
            return value(score), value(score)
        # In integers up to the division: the difference of two large numbers keeps its digits.
        spread = items * score[f"{of}_squares"] - total * total
        error = step * sqrt(max(0, spread) / (items - 1)) / items
        return value(score) - Z_95 * error, value(score) + Z_95 * error

    return value, interval
