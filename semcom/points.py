"""A point of a sweep: one channel condition under which images are sent.

SNR is Es/N0 per complex symbol in dB; transmitters guarantee Es = 1 per codeword, so the noise
power is N0 = 10^(-SNR/10) per complex symbol, half of it on each real axis.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SNR_MIN_DB, SNR_MAX_DB = -30.0, 60.0

ChannelModel = Literal["awgn", "rayleigh", "rician"]
Csi = Literal["perfect", "mismatch", "none"]
EqualizerMethod = Literal["zero_forcing", "mmse"]
SnrDb = Annotated[float, Field(ge=SNR_MIN_DB, le=SNR_MAX_DB, allow_inf_nan=False)]
RicianK = Annotated[float, Field(ge=0, le=1e4, allow_inf_nan=False)]
Coherence = Annotated[int, Field(ge=1, le=1_000_000)]
CsiErrorVariance = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class ChannelSettings(BaseModel):
    """A fading model, what the receiver knows of it, and how it equalises.

    The form in which plans, ledgers and messages hold a channel: a key may have no effect on its
    model. What a user writes is checked by `semcom.channel_choice`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: ChannelModel = Field(default="awgn", description="of the fading")
    rician_k: RicianK = Field(default=4.0, description="line of sight over scattered")
    coherence: Coherence = Field(default=1, description="codewords per fading draw")
    csi: Csi = Field(default="perfect", description="what the receiver knows of the fading")
    csi_error_variance: CsiErrorVariance = Field(default=0.0, description="of csi: mismatch")
    equalizer: EqualizerMethod = Field(default="zero_forcing", description="at the receiver")

    @property
    def label(self) -> str:
        """Short name for tables: the model, and whatever differs from the defaults."""
        parts: list[str] = [self.model]
        if self.model == "rician":
            parts.append(f"k={self.rician_k:g}")
        if self.model != "awgn":
            if self.coherence != 1:
                parts.append(f"coherence={self.coherence}")
            if self.csi == "mismatch":
                parts.append(f"mismatch={self.csi_error_variance:g}")
            elif self.csi != "perfect":
                parts.append(f"csi={self.csi}")
            if self.equalizer != "zero_forcing":
                parts.append(self.equalizer)
        return " ".join(parts)


class PointSpec(BaseModel):
    """Channel, SNR and seed: all that determines the random numbers of a point."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    channel: ChannelSettings = ChannelSettings()
    snr_db: SnrDb
    seed: Seed = 0

    @property
    def noise_power(self) -> float:
        """N0 per complex symbol, linear."""
        return float(10.0 ** (-self.snr_db / 10.0))

    @property
    def key_text(self) -> str:
        """Canonical text of what keys the random numbers.

        The receiver's options are left out: the same channel meets every receiver.
        """
        c = self.channel
        fading = f"{c.model}:k={c.rician_k!r}" if c.model == "rician" else c.model
        snr_db = self.snr_db + 0.0  # turns -0.0 into 0.0: there is one zero
        return f"{fading}:coherence={c.coherence}:snr_db={snr_db!r}"
