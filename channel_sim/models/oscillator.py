"""Carrier frequency offset and phase noise of the oscillators.

    y_k = x_k exp(j phi_k),   phi_k = 2 pi f k + sum_{i <= k} w_i,   w_i ~ N(0, s^2)

k counts the symbols of a codeword from 0, where the phase is 0: the error is what remains after a
perfect estimate at the start of the codeword.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.noise import ComplexArray


class OscillatorChannel(ChannelModel):
    """A rotation of every symbol."""

    csi: Literal["perfect", "none"] = Field(
        default="none",
        description="perfect: the receiver knows the rotation of every symbol; none: nothing",
    )
    cfo: float = Field(
        default=0.0, ge=-0.5, le=0.5, description="f, carrier frequency offset in cycles per symbol"
    )
    phase_noise_std: float = Field(
        default=0.0,
        ge=0,
        le=3.15,
        description="s, standard deviation of the phase step per symbol in radians",
    )

    def draw(self, streams: Streams, *, symbols: int) -> ComplexArray:
        """Draw a rotation per symbol: complex64 (B, K)."""
        phases_BK = np.zeros((streams.items, symbols))
        if self.phase_noise_std > 0:
            # The real part of CN(0, 1) has variance 1/2.
            steps = np.sqrt(2.0) * streams.normals("phase", per_item=symbols).real
            steps[:, 0] = 0.0
            phases_BK = self.phase_noise_std * np.cumsum(steps, axis=1, dtype=np.float64)
        phases_BK = phases_BK + 2.0 * np.pi * self.cfo * np.arange(symbols)
        rotations_BK: ComplexArray = np.exp(1j * phases_BK).astype(np.complex64)
        return rotations_BK

    def apply(self, symbols_BK: ComplexArray, state: ComplexArray) -> ComplexArray:
        """Rotate every symbol."""
        return multiplied(symbols_BK, state)

    def gains(self, state: ComplexArray) -> ComplexArray:
        """Return the rotations (B, K)."""
        return state
