"""Increments by SNR: a table of an ordered codec that says how much is sent at which SNR.

The table is part of the codec's manifest, so both ends have it; it changes no weights, and no
digest of the codec. A plan that uses it holds a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.increments import MAX_INCREMENTS, Number, Rate
from semcom.points import PointSpec, SnrDb

Shares = npt.NDArray[np.float64]


class SnrStep(BaseModel):
    """A step of a table: from this SNR on, so many increments are sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snr_db: SnrDb
    increments: Number


class SnrRates(BaseModel):
    """Numbers of increments by SNR; below the first step, all are sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[tuple[SnrStep, ...], Field(min_length=1, max_length=MAX_INCREMENTS)]

    @model_validator(mode="after")
    def _descends(self) -> Self:
        for step, following in zip(self.steps, self.steps[1:], strict=False):
            if following.snr_db <= step.snr_db:
                raise ValueError("steps must rise in snr_db")
            if following.increments >= step.increments:
                raise ValueError("steps must fall in increments")
        return self

    @property
    def most(self) -> int:
        """Largest number of increments of a step."""
        return self.steps[0].increments

    def at(self, snr_db: float) -> int | None:
        """Return the number of increments at an SNR; None: all."""
        reached = [step.increments for step in self.steps if step.snr_db <= snr_db]
        return reached[-1] if reached else None


def told_rate(rate: Rate | None, table: SnrRates | None, snr_db: float) -> Rate | None:
    """Return a rate as a link is told it: a rate by SNR becomes a number of increments.

    Without a table, as after a change to a codec that has none, all increments are sent.
    """
    if rate is None or not rate.by_snr:
        return rate
    number = None if table is None else table.at(snr_db)
    return None if number is None else Rate(increments=number)


def told_spec(spec: PointSpec, table: SnrRates | None) -> PointSpec:
    """Return a point as a link with a codec of this table is told it."""
    rate = told_rate(spec.rate, table, spec.snr_db)
    return spec if rate == spec.rate else spec.model_copy(update={"rate": rate})


def choose_rates(
    snrs_db: Sequence[float], shares_CSI: Shares, *, tolerance: float = 0.005
) -> SnrRates:
    """Return the table with the fewest increments that cost at most `tolerance` of accuracy.

    Args:
        snrs_db: S SNRs, rising.
        shares_CSI: share of right answers over each of C channels, at each SNR, with 1 to I
            increments.
        tolerance: share of right answers that may be lost against all increments, over every
            channel.
    """
    enough_SI = (shares_CSI >= shares_CSI[:, :, -1:] - tolerance).all(axis=0)
    fewest_S = 1 + enough_SI.argmax(axis=1)
    # At a lower SNR never fewer: a dip at one SNR is chance.
    falling_S = np.maximum.accumulate(fewest_S[::-1])[::-1]
    steps: list[SnrStep] = []
    for snr_db, number in zip(snrs_db, falling_S.tolist(), strict=True):
        if not steps or number < steps[-1].increments:
            steps.append(SnrStep(snr_db=snr_db, increments=number))
    return SnrRates(steps=tuple(steps))
