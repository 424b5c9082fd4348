"""Metrics: numbers that people read, made of the sums of a Score."""

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
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Columns of tables of results beside those of metrics.
TAKEN = frozenset(
    {
        "link", "dataset", "system", "channel", "snr_db", "seed", "images", "task",
        "round_trip_p50_ms", "round_trip_p99_ms", "encode_ms", "channel_ms", "decode_ms",
        "retransmissions", "codec",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that is made of a score.

    Attributes:
        name: of columns, files and labels: small letters, digits and underscores.
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

    def __post_init__(self) -> None:
        """Check the name, after which columns and files are called.

        Raises:
            ValueError: it has other characters, or is that of another column.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name[:40]!r}: its name does not match {NAME.pattern}")
        if self.name in TAKEN:
            raise ValueError(f"metric {self.name}: tables have another column of this name")

    @property
    def noun(self) -> str:
        """The title within a sentence: abbreviations keep their capitals."""
        return self.title if self.title[1:2].isupper() else self.title[:1].lower() + self.title[1:]

    @property
    def scale(self) -> float:
        """Return the factor between a value and its printed number."""
        return 100.0 if self.unit == "%" else 1.0

    def number(self, value: float, *, short: bool = False) -> str:
        """Return a value as it is printed, without its unit; a short one has a digit less."""
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


def ratio(of: str, per: str) -> tuple[Callable[[Score], float], Callable[[Score], Interval]]:
    """Return value and interval of a ratio of two sums, as errors per word; 0 where `per` is.

    The interval is that of a ratio estimator (delta method): items are drawn, each with its `of`
    and its `per`. It takes the sums `{of}_squares`, `{per}_squares` and `{of}_{per}` (products).
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
