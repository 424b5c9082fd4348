"""Metrics: the reported numbers, computed from the sums of a Score."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from semcom.statistics import Z_95, wilson_interval
from semcom.tasks.score import ITEMS, Score

Better = Literal["higher", "lower"]
Interval = tuple[float, float]
Limits = tuple[float | None, float | None]  # least and largest possible value; None: no limit
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Columns of tables of results besides those of metrics.
TAKEN = frozenset(
    {
        "link", "dataset", "system", "channel", "snr_db", "seed", "images", "task",
        "round_trip_p50_ms", "round_trip_p99_ms", "encode_ms", "channel_ms", "decode_ms",
        "retransmissions", "codec",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number computed from a score.

    Attributes:
        name: name in columns, files and labels: lower-case letters, digits and underscores.
        title: name in reports.
        unit: printed unit; a share with "%" is printed as 100 times its value.
        better: direction in which it improves.
        digits: printed decimals.
        limits: least and largest possible value, and ends of the axis in plots.
        value: function of a score with at least one item.
        interval: function that returns its 95 % interval.
        of: the sum from which the value is computed if it is exactly `step * of / items`, so that a
            monitoring system can compute it from counters; otherwise None.
        step: see `of`.
    """

    name: str
    title: str
    unit: str
    better: Better
    digits: int
    limits: Limits
    value: Callable[[Score], float]
    interval: Callable[[Score], Interval]
    of: str | None = None
    step: float = 1.0

    def __post_init__(self) -> None:
        """Check the name, which is used for columns and files.

        Raises:
            ValueError: it has other characters, or is the name of another column.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name[:40]!r}: its name does not match {NAME.pattern}")
        if self.name in TAKEN:
            raise ValueError(f"metric {self.name}: tables have another column of this name")

    @property
    def noun(self) -> str:
        """The title within a sentence, where abbreviations keep their capitals."""
        return self.title if self.title[1:2].isupper() else self.title[:1].lower() + self.title[1:]

    @property
    def scale(self) -> float:
        """Return the factor between a value and its printed number."""
        return 100.0 if self.unit == "%" else 1.0

    def number(self, value: float, *, short: bool = False) -> str:
        """Return a value as printed, without its unit; the short form has one digit less."""
        digits = min(self.digits, max(1, self.digits - 1)) if short else self.digits
        return f"{self.scale * value:.{digits}f}"

    def printed(self, score: Score) -> str:
        """Return the value with its interval, as a cell of a table."""
        low, high = map(self.number, self.interval(score))
        return f"{self.number(self.value(score))} ({low} to {high})"


def share(of: str) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and Wilson interval of the share of items that a sum counts."""

    def value(score: Score) -> float:
        return score[of] / score[ITEMS]

    def interval(score: Score) -> Interval:
        return wilson_interval(score[of], score[ITEMS])

    return value, interval


def within(limits: Limits, interval: Interval) -> Interval:
    """Return the part of an interval in which the metric has values."""
    (least, most), (low, high) = limits, interval
    return low if least is None else max(low, least), high if most is None else min(high, most)


def mean(
    of: str, step: float, *, per: str = ITEMS, limits: Limits = (None, None)
) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and normal interval of a mean over items, or over what the sum `per` counts.

    The sum `of` counts steps of an item's value, the sum `of`_squares their squares. The interval
    ends at the `limits` of an item's value.
    """

    def value(score: Score) -> float:
        return step * score[of] / score[per]

    def interval(score: Score) -> Interval:
        items, total = score[per], score[of]
        if items < 2:
            return value(score), value(score)
        # Integers up to the division, so that the difference of large numbers keeps its digits.
        spread = items * score[f"{of}_squares"] - total * total
        error = step * sqrt(max(0, spread) / (items - 1)) / items
        return within(limits, (value(score) - Z_95 * error, value(score) + Z_95 * error))

    return value, interval


def ratio(of: str, per: str) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and interval of a ratio of two sums, such as errors per word; 0 if `per` is 0.

    The interval is that of a ratio estimator (delta method) over items, each with its `of` and
    `per`. It needs the sums `{of}_squares`, `{per}_squares` and `{of}_{per}` (products).
    """

    def value(score: Score) -> float:
        return score[of] / score[per] if score[per] else 0.0

    def interval(score: Score) -> Interval:
        items, rate = score[ITEMS], value(score)
        if items < 2 or not score[per]:
            return rate, rate
        spread = score[f"{of}_squares"] + rate * (
            rate * score[f"{per}_squares"] - 2 * score[f"{of}_{per}"]
        )
        error = sqrt(max(0.0, spread) * items / (items - 1)) / score[per]
        return max(0.0, rate - Z_95 * error), rate + Z_95 * error

    return value, interval
