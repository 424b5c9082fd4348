"""The interface of a channel model: users' settings, and draw, apply and csi.

    state    = model.draw(streams, symbols=K)      every random number, keyed
    faded_BK = model.apply(symbols_BK, state)      without noise, which the channel adds
    csi_BM   = model.csi_of(state)                 the channel state (M columns), or None

A model is a pydantic class, whose fields are the settings in a scenario. A package registers it as
an entry point:

    [project.entry-points."rkd_sc.channels"]
    mine = "my_package.my_module:MyChannel"

Never change a default; the default of a field that is added later must mean "as before", because
plans omit settings that equal their defaults.

Shape legend: B codewords (items), K complex symbols per codeword, M columns of channel state: 1 (a
gain per codeword), K (a gain per symbol), or any other number, of which the receiver inverts the
effective gain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from channel_sim.noise import ComplexArray, Items, Normals, complex_normals_of, stream_key
from semcom.points import EqualizerMethod

Csi = Literal["perfect", "none"]
NOISE = "noise"  # reserved for the noise that is added after the model


@dataclass(frozen=True)
class Streams:
    """The random numbers of items of a link at a point from `first_item` on, by purpose.

    Every number depends only on seed, link, point, item and purpose, never on order or batch.
    """

    seed: int
    link: str
    point: str  # canonical text of the channel condition
    first_item: int
    items: int
    draw: Normals = complex_normals_of

    def normals(self, purpose: str, *, per_item: int) -> ComplexArray:
        """Draw CN(0, 1) for every item: complex64 (B, per_item)."""
        return self._drawn(purpose, self.first_item, self.items, per_item)

    def block_normals(self, purpose: str, *, coherence: int, per_item: int) -> ComplexArray:
        """Draw CN(0, 1) once for `coherence` consecutive items: complex64 (B, per_item)."""
        first = self.first_item // coherence
        last = (self.first_item + self.items - 1) // coherence
        drawn = self._drawn(purpose, first, last - first + 1, per_item)
        rows: ComplexArray = drawn[self.numbers // coherence - first]
        return rows

    def link_normals(self, purpose: str, *, count: int) -> ComplexArray:
        """Draw CN(0, 1) once for all items of the link at this point: complex64 (count,)."""
        drawn: ComplexArray = self._drawn(purpose, 0, 1, count)[0]
        return drawn

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the number of each item, int64 (B,)."""
        return np.arange(self.first_item, self.first_item + self.items, dtype=np.int64)

    def _drawn(self, purpose: str, first: int, number: int, per_item: int) -> ComplexArray:
        if purpose == NOISE:
            raise ValueError(
                f"purpose {NOISE} is reserved for the additive noise; choose another one"
            )
        key = stream_key(seed=self.seed, link=self.link, point=self.point, purpose=purpose)
        return self.draw([Items(key, first, number)], per_item=per_item)


class ChannelModel(BaseModel, ABC):
    """Base of all models: unknown keys are errors, settings are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    csi: Csi = Field(default="perfect", description="what the receiver knows about the channel")
    equalizer: EqualizerMethod = Field(
        default="zero_forcing",
        description="equaliser of the receiver; without effect if csi is none",
    )

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if self.csi == "none" and "equalizer" in self.model_fields_set:
            raise ValueError("equalizer has no effect with csi: none; omit one of them")
        return self

    @abstractmethod
    def draw(self, streams: Streams, *, symbols: int) -> Any:
        """Draw the channel of `streams.items` codewords of `symbols` symbols."""

    @abstractmethod
    def apply(self, symbols_BK: ComplexArray, state: Any) -> ComplexArray:
        """Pass codewords complex64 (B, K) through a draw, without noise."""

    @abstractmethod
    def gains(self, state: Any) -> ComplexArray | None:
        """Return the gains (B, M) that an equaliser can invert; None if there are none."""

    def csi_of(self, state: Any) -> ComplexArray | None:
        """Return the channel state for the receiver, complex64 (B, M); None: no state."""
        return None if self.csi == "none" else self.gains(state)


def multiplied(symbols_BK: ComplexArray, gains_BM: ComplexArray) -> ComplexArray:
    """Return gains times symbols, rounded step by step, identically on every processor."""
    product = np.empty(symbols_BK.shape, dtype=np.complex64)
    (z_re, z_im), (h_re, h_im) = (
        (symbols_BK.real, symbols_BK.imag),
        (gains_BM.real, gains_BM.imag),
    )
    product.real = h_re * z_re - h_im * z_im
    product.imag = h_re * z_im + h_im * z_re
    return product
