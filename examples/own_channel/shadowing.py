"""Log-normal shadowing: obstacles change the mean level of a link.

h = 10^(s x / 20) / c,   x ~ N(0, 1) once per `coherence` codewords
c^2 = E[10^(s x / 10)] = exp((s ln 10 / 10)^2 / 2),   so that E|h|^2 = 1
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.noise import ComplexArray


class ShadowingChannel(ChannelModel):
    """One gain for all symbols of a codeword."""

    sigma_db: float = Field(default=6.0, ge=0, le=20, description="s, standard deviation in dB")
    coherence: int = Field(default=1, ge=1, le=1_000_000, description="codewords per draw")

    def draw(self, streams: Streams, *, symbols: int) -> ComplexArray:
        """Draw the gain of every codeword: complex64 (B, 1)."""
        del symbols  # they share the codeword's gain
        drawn_B1 = streams.block_normals("shadow", coherence=self.coherence, per_item=1)
        x_B1 = math.sqrt(2.0) * drawn_B1.real.astype(np.float64)  # of variance 1
        nepers = self.sigma_db * math.log(10.0) / 20.0
        gains_B1: ComplexArray = np.exp(nepers * x_B1 - nepers**2).astype(np.complex64)
        return gains_B1

    def apply(self, symbols_BK: ComplexArray, state: ComplexArray) -> ComplexArray:
        """Multiply every codeword by its gain; the channel adds the noise after."""
        return multiplied(symbols_BK, state)

    def gains(self, state: ComplexArray) -> ComplexArray:
        """Return what the receiver is told: complex64 (B, 1)."""
        return state
