"""Multipath with OFDM: a tapped delay line, subcarriers and a cyclic prefix.

    x (K symbols) -> N subcarriers per OFDM symbol -> IDFT -> cyclic prefix of P samples
      -> y[t] = sum_l h_l x[t - d_l] -> prefix removed -> DFT
    H_k = sum_l h_l exp(-j 2 pi k d_l / N),   sum_l E|h_l|^2 = 1

With P >= max d_l, OFDM symbols do not interfere and Y_k = H_k X_k. A shorter prefix causes
interference between symbols and between subcarriers, which the receiver treats as noise.

Profiles: `exponential` (power falls by e per delay spread, cut at -30 dB) and TDL-A to TDL-E of
3GPP TR 38.901, tables 7.7.2-1 to 7.7.2-5, scaled to the delay spread. Delays are rounded to
samples.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.models.tdl_profiles import PROFILES
from channel_sim.noise import ComplexArray

CUT_DB = 30.0  # of the exponential profile

Profile = Literal["exponential", "tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e"]


class Taps(NamedTuple):
    """Delays in samples, mean powers, and the non-fading share of the first tap."""

    delays_L: npt.NDArray[np.int64]
    powers_L: npt.NDArray[np.float64]
    line_of_sight: float


class TapDraw(NamedTuple):
    """Gains of the taps of every codeword, complex64 (B, L), and its number of symbols."""

    gains_BL: ComplexArray
    symbols: int


class TdlChannel(ChannelModel):
    """Frequency-selective fading, constant over `coherence` codewords."""

    profile: Profile = Field(default="exponential", description="power delay profile")
    delay_spread_ns: float = Field(
        default=300.0, gt=0, le=1e5, description="rms delay spread in nanoseconds"
    )
    subcarriers: int = Field(
        default=64, ge=2, le=4096, description="N, number of subcarriers of an OFDM symbol"
    )
    spacing_khz: float = Field(default=15.0, gt=0, le=1e4, description="subcarrier spacing in kHz")
    cyclic_prefix: int = Field(default=16, ge=0, le=4096, description="P, length in samples")
    coherence: int = Field(default=1, ge=1, le=1_000_000, description="codewords per draw")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cyclic_prefix > self.subcarriers:
            raise ValueError("cyclic_prefix: longer than the OFDM symbol; lower it")
        if int(self.taps.delays_L[-1]) >= self.subcarriers:
            raise ValueError(
                f"delay_spread_ns: the last path arrives {self.taps.delays_L[-1]} samples "
                "late, but an "
                f"OFDM symbol has {self.subcarriers}; lower it, or use more subcarriers"
            )
        return self

    @property
    def sample_ns(self) -> float:
        """Duration of a sample, nanoseconds."""
        return 1e6 / (self.subcarriers * self.spacing_khz)

    @cached_property
    def taps(self) -> Taps:
        """The profile at this sampling rate."""
        line_of_sight = 0.0
        if self.profile == "exponential":
            last = int(np.log(10.0 ** (CUT_DB / 10.0)) * self.delay_spread_ns / self.sample_ns)
            delays = np.arange(last + 1, dtype=np.float64)
            powers = np.exp(-delays * self.sample_ns / self.delay_spread_ns)
        else:
            table = PROFILES[self.profile]
            delays = np.array(table.delays) * self.delay_spread_ns / self.sample_ns
            powers = 10.0 ** (np.array(table.powers_db) / 10.0)
            if table.line_of_sight_db is not None:
                constant = 10.0 ** (table.line_of_sight_db / 10.0)
                line_of_sight = constant / (constant + powers.sum())
                powers[0] += constant
        by_sample: dict[int, float] = defaultdict(float)
        for delay, power in zip(np.rint(delays), powers / powers.sum(), strict=True):
            by_sample[int(delay)] += float(power)
        found = sorted(by_sample)
        return Taps(np.array(found), np.array([by_sample[d] for d in found]), line_of_sight)

    def draw(self, streams: Streams, *, symbols: int) -> TapDraw:
        """Draw the taps of every codeword."""
        taps = self.taps
        drawn_BL = streams.block_normals(
            "taps", coherence=self.coherence, per_item=len(taps.delays_L)
        )
        scattered_L = taps.powers_L.copy()
        scattered_L[0] -= taps.line_of_sight
        gains_BL = drawn_BL * np.sqrt(scattered_L).astype(np.float32)
        gains_BL[:, 0] += np.float32(np.sqrt(taps.line_of_sight))
        return TapDraw(gains_BL, symbols)

    def apply(self, symbols_BK: ComplexArray, state: TapDraw) -> ComplexArray:
        """Send every codeword over the subcarriers."""
        if self.cyclic_prefix >= int(self.taps.delays_L[-1]):
            return multiplied(symbols_BK, self.gains(state))
        return self.through_time(symbols_BK, state)

    def gains(self, state: TapDraw) -> ComplexArray:
        """Return H at the subcarrier of every symbol, complex64 (B, K)."""
        carriers_K = np.arange(state.symbols) % self.subcarriers
        turns_LK = np.outer(self.taps.delays_L, carriers_K) % self.subcarriers / self.subcarriers
        phasors_LK = np.exp(-2j * np.pi * turns_LK).astype(np.complex64)
        response_BK = np.zeros((len(state.gains_BL), state.symbols), dtype=np.complex64)
        for tap_B, phasors_K in zip(state.gains_BL.T, phasors_LK, strict=True):
            response_BK += multiplied(np.broadcast_to(phasors_K, response_BK.shape), tap_B[:, None])
        return response_BK

    def through_time(self, symbols_BK: ComplexArray, state: TapDraw) -> ComplexArray:
        """Send codewords sample by sample, with any prefix; each follows a pause."""
        items, symbols = symbols_BK.shape
        n, prefix = self.subcarriers, self.cyclic_prefix
        blocks = -(-symbols // n)
        padded = np.zeros((items, blocks * n), dtype=np.complex128)
        padded[:, :symbols] = symbols_BK
        time_BSN = np.fft.ifft(padded.reshape(items, blocks, n), axis=2) * np.sqrt(n)
        sent_BT = np.concatenate([time_BSN[:, :, n - prefix :], time_BSN], axis=2).reshape(
            items, blocks * (n + prefix)
        )
        received_BT = np.zeros_like(sent_BT)
        for delay, tap_B in zip(self.taps.delays_L.tolist(), state.gains_BL.T, strict=True):
            received_BT[:, delay:] += tap_B[:, None] * sent_BT[:, : sent_BT.shape[1] - delay]
        kept_BSN = received_BT.reshape(items, blocks, n + prefix)[:, :, prefix:]
        carriers = np.fft.fft(kept_BSN, axis=2) / np.sqrt(n)
        received_BK: ComplexArray = carriers.reshape(items, blocks * n)[:, :symbols].astype(
            np.complex64
        )
        return received_BK
