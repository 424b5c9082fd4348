"""Fading that is correlated over the codewords of a link (Clarke's model, Jakes' spectrum).

    h(t) = M^(-1/2) sum_n exp(j (2 pi f_D t cos a_n + p_n))
    E[h(t) h*(t + tau)] = J0(2 pi f_D tau)

`f_D t` counts Doppler cycles: item i is sent at t = i times `doppler`. Angles a_n are equally
spaced from a random start, phases p_n are random; both are drawn once per link and point, so
any range of items can be drawn separately. (Zheng and Xiao, "Simulation models with correct
statistical properties for Rayleigh fading channels", 2003.)
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.noise import ComplexArray

SINUSOIDS = 64


class JakesChannel(ChannelModel):
    """Rayleigh fading with Jakes' spectrum, constant over a codeword."""

    doppler: float = Field(
        default=0.01,
        ge=0,
        le=0.5,
        description="f_D T, with T the time from one codeword to the next",
    )

    def draw(self, streams: Streams, *, symbols: int) -> ComplexArray:
        """Draw a gain per codeword: complex64 (B, 1)."""
        del symbols  # symbols share the codeword's gain
        drawn = streams.link_normals("jakes", count=SINUSOIDS + 1)
        phases = np.angle(drawn.astype(np.complex128))  # uniform, because CN(0, 1) is isotropic
        start, phases_M = phases[0], phases[1:]
        angles_M = (2.0 * np.pi * np.arange(SINUSOIDS) + start) / SINUSOIDS
        cycles_B = self.doppler * streams.numbers
        turns_BM = 2.0 * np.pi * cycles_B[:, None] * np.cos(angles_M) + phases_M
        gains_B1 = np.exp(1j * turns_BM).sum(axis=1, keepdims=True) / np.sqrt(SINUSOIDS)
        drawn_B1: ComplexArray = gains_B1.astype(np.complex64)
        return drawn_B1

    def apply(self, symbols_BK: ComplexArray, state: ComplexArray) -> ComplexArray:
        """Multiply every codeword by its gain."""
        return multiplied(symbols_BK, state)

    def gains(self, state: ComplexArray) -> ComplexArray:
        """Return the gains (B, 1)."""
        return state
