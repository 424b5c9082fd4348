"""SNR over time. A course is a pure function of (seconds since the start, seed) -> dB.

SNRs are in steps of 0.1 dB and within [-30, 60], so that a nearly constant course creates no new
channel conditions.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from orchestrator.live.traces import SECONDS_MAX, read_trace
from semcom.points import SNR_MAX_DB, SNR_MIN_DB, SnrDb
from semcom.settings import Settings

WALK_BLOCK = 1024  # steps of a random walk drawn at a time

Seconds = Annotated[float, Field(gt=0, le=SECONDS_MAX, allow_inf_nan=False)]


class Constant(Settings):
    """Always the same SNR."""

    kind: Literal["constant"]
    snr_db: SnrDb

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB."""
        del at_s, seed
        return self.snr_db


class Steps(Settings):
    """One SNR after the other, each for `hold_s`, repeated."""

    kind: Literal["steps"]
    snr_db: list[SnrDb] = Field(min_length=1, max_length=10_000)
    hold_s: Seconds

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB."""
        del seed
        return self.snr_db[int(at_s / self.hold_s) % len(self.snr_db)]


class Ramp(Settings):
    """From `start` to `stop` within `period_s`, back in the same time, repeated."""

    kind: Literal["ramp"]
    start: SnrDb
    stop: SnrDb
    period_s: Seconds

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB."""
        del seed
        phase = (at_s / self.period_s) % 2.0
        return self.start + (self.stop - self.start) * (phase if phase <= 1.0 else 2.0 - phase)


class Sine(Settings):
    """`mean` and a sine of `amplitude` around it; `phase` in turns."""

    kind: Literal["sine"]
    mean: SnrDb
    amplitude: float = Field(ge=0, le=90, allow_inf_nan=False)
    period_s: Seconds
    phase: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        low, high = self.mean - self.amplitude, self.mean + self.amplitude
        if low < SNR_MIN_DB or high > SNR_MAX_DB:
            raise ValueError(
                f"mean {self.mean:.10g} and amplitude {self.amplitude:.10g} range from {low:.10g} "
                f"to {high:.10g} dB; SNRs are within {SNR_MIN_DB:g} to {SNR_MAX_DB:g}"
            )
        return self

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB."""
        del seed
        turns = at_s / self.period_s + self.phase
        return self.mean + self.amplitude * math.sin(2.0 * math.pi * (turns % 1.0))


class RandomWalk(Settings):
    """A normal step of standard deviation `step_db` every `every_s`, reflected at both bounds."""

    kind: Literal["random_walk"]
    start: SnrDb
    low: SnrDb
    high: SnrDb
    step_db: float = Field(gt=0, le=30, allow_inf_nan=False)
    every_s: Seconds = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high or not self.low <= self.start <= self.high:
            given = f"low {self.low:.10g}, start {self.start:.10g}, high {self.high:.10g}"
            raise ValueError(f"low must be below high, and start between them; here {given}")
        return self

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB. A later time costs at most one more block."""
        step = int(at_s / self.every_s)
        block, within = divmod(step, WALK_BLOCK)
        walked = _walked(seed, self.step_db, block)
        unbounded = self.start + _walked_before(seed, self.step_db, block) + float(walked[within])
        return _thrown_back(unbounded, self.low, self.high)


class Trace(Settings):
    """A CSV file of `seconds,snr_db`; each value holds until the next, then from the start."""

    kind: Literal["trace"]
    file: Path

    def raw_db(self, at_s: float, seed: int) -> float:
        """SNR at a time, dB.

        Raises:
            ConfigurationError: the file is missing or not a trace.
        """
        del seed
        trace = read_trace(self.file)
        length_s = trace.times_s[-1]
        if length_s > 0:
            at_s %= length_s
        return trace.snrs_db[max(0, bisect_right(trace.times_s, at_s) - 1)]


Course = Annotated[Constant | Steps | Ramp | Sine | RandomWalk | Trace, Field(discriminator="kind")]


def snr_at(course: Course, at_s: float, *, seed: int) -> float:
    """SNR of a course `at_s` seconds after the start: dB, in steps of 0.1, within [-30, 60].

    Raises:
        ConfigurationError: a trace cannot be read.
    """
    raw_db = course.raw_db(max(0.0, at_s), seed)
    return min(SNR_MAX_DB, max(SNR_MIN_DB, round(raw_db * 10.0) / 10.0)) + 0.0


@lru_cache(maxsize=256)
def _walked(seed: int, step_db: float, block: int) -> np.ndarray:
    """Return the path of a block's steps from its start, dB."""
    dice = np.random.Generator(np.random.Philox(key=[seed, block]))
    walked: np.ndarray = np.cumsum(dice.normal(0.0, step_db, WALK_BLOCK))
    return walked


_LAST_WALKED: dict[tuple[int, float], tuple[int, float]] = {}  # (block, dB before it)


@lru_cache(maxsize=256)
def _walked_before(seed: int, step_db: float, block: int) -> float:
    """Return the value before a block, dB, starting from the result of an earlier call."""
    known, total = _LAST_WALKED.get((seed, step_db), (0, 0.0))
    if known > block:
        known, total = 0, 0.0
    for earlier in range(known, block):
        total += float(_walked.__wrapped__(seed, step_db, earlier)[-1])
    _LAST_WALKED[seed, step_db] = (block, total)
    return total


def _thrown_back(value: float, low: float, high: float) -> float:
    """Return a value reflected at two bounds as often as needed."""
    width = high - low
    phase = ((value - low) / width) % 2.0
    return low + width * (phase if phase <= 1.0 else 2.0 - phase)
