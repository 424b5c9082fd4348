"""A clipping power amplifier: the power of a symbol is limited relative to the mean power.

    y_k = x_k min(1, A / |x_k|),   A^2 = 10^(papr_db / 10) mean_k |x_k|^2

The peak-to-average power ratio of a codeword is limited by its own mean (soft limiter, phase kept).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams
from channel_sim.noise import ComplexArray


class ClippingChannel(ChannelModel):
    """A soft limiter before additive noise; only the noise is random."""

    csi: Literal["none"] = Field(
        default="none", description="there is no gain that a receiver could know"
    )
    papr_db: float = Field(
        default=3.0,
        ge=0,
        le=40,
        description="limit of a symbol's power relative to the mean power, dB",
    )

    def draw(self, streams: Streams, *, symbols: int) -> None:
        """Draw nothing."""

    def apply(self, symbols_BK: ComplexArray, state: None) -> ComplexArray:
        """Clip every symbol above the limit of its codeword."""
        del state
        power_BK = np.square(symbols_BK.real) + np.square(symbols_BK.imag)
        limit_B1 = power_BK.mean(axis=1, keepdims=True) * np.float32(10.0 ** (self.papr_db / 10.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale_BK = np.where(power_BK > limit_B1, np.sqrt(limit_B1 / power_BK), np.float32(1.0))
        return (symbols_BK * scale_BK.astype(np.float32)).astype(np.complex64)

    def gains(self, state: None) -> None:
        """Return None: no gain can undo clipping."""
