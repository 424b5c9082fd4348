"""SNR points in users' files: a list, or a range whose stop is one of its points."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from semcom.points import SnrDb
from semcom.settings import Settings

MAX_POINTS = 100_000
DECIMALS = 9  # of a point, dB


class SnrRange(Settings):
    """SNR points from `start` to `stop`, both included, `step` apart; dB."""

    start: SnrDb = Field(description="first value in dB, included")
    stop: SnrDb = Field(description="last value in dB, included")
    step: float = Field(gt=0, le=100, allow_inf_nan=False, description="step in dB")

    @model_validator(mode="before")
    @classmethod
    def _has_a_direction(cls, content: Any) -> Any:
        """Refuse a descending range, before its negative step is detected."""
        found = [content.get(key) for key in cls.model_fields] if isinstance(content, dict) else []
        values = [value for value in found if isinstance(value, int | float)]
        if len(values) == 3:
            start, stop, step = values
            if stop < start:
                upwards = f"start: {stop:.10g}, stop: {start:.10g}, step: {abs(step):.10g}"
                raise ValueError(
                    f"stop {stop:.10g} is below start {start:.10g}; a range must rise: "
                    f"write {upwards}"
                )
        return content

    @model_validator(mode="after")
    def _ends_at_stop(self) -> Self:
        steps = (self.stop - self.start) / self.step
        if steps > MAX_POINTS:  # before they are generated
            raise ValueError(f"step {self.step:.10g} gives more than {MAX_POINTS:,} points")
        if self._point(round(steps)) != round(self.stop, DECIMALS):
            below, above = self._point(math.floor(steps)), self._point(math.floor(steps) + 1)
            raise ValueError(
                f"stop {self.stop:.10g} is not reached: from start {self.start:.10g} in steps of "
                f"{self.step:.10g} come {below:.10g} and {above:.10g}; change stop or step"
            )
        return self

    @property
    def values(self) -> list[float]:
        """The points."""
        return [self._point(n) for n in range(round((self.stop - self.start) / self.step) + 1)]

    def _point(self, steps: int) -> float:
        return round(self.start + steps * self.step, DECIMALS)


def _kind(content: Any) -> str | None:
    if isinstance(content, list | tuple):
        return "list"
    return "range" if isinstance(content, dict | SnrRange) else None


SnrPoints = Annotated[
    Annotated[list[SnrDb], Field(min_length=1), Tag("list")] | Annotated[SnrRange, Tag("range")],
    Discriminator(_kind),
]


def values_of(points: list[float] | SnrRange) -> list[float]:
    """Return the SNRs of a list or a range, dB."""
    return points.values if isinstance(points, SnrRange) else list(points)
