"""Sionna's link-level channels of 3GPP TR 38.901, TDL and CDL, with OFDM: extra `sionna`.

    H[s, k] = sum_p h_p(s) exp(-j 2 pi f_k tau_p),   f_k = k spacing,   Y = H X

Symbol i of a codeword is on subcarrier i mod N of OFDM symbol i div N; the cyclic prefix is longer
than the delays. Sionna draws h and tau from its own generator, which is seeded for every
codeword by a key of (seed, link, point, item). Answers therefore do not depend on order or
batching; they are reproducible with the same versions of Sionna and torch.

This is the only model that needs torch, which is imported when the first codeword is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.noise import ComplexArray
from semcom.extras import needed_by

Profile = Literal[
    "tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e", "cdl-a", "cdl-b", "cdl-c", "cdl-d", "cdl-e"
]
# Seed and number of OFDM symbols -> gains (paths, OFDM symbols), delays in seconds (paths,).
Paths = Callable[[int, int], tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]]


class SionnaChannel(ChannelModel):
    """A channel of TR 38.901 between two single antennas, drawn for every codeword."""

    profile: Profile = Field(
        default="cdl-c",
        description="channel profile, as in clauses 7.7.1 (CDL) and 7.7.2 (TDL) of TR 38.901",
    )
    delay_spread_ns: float = Field(
        default=300.0, gt=0, le=1e5, description="rms delay spread in nanoseconds"
    )
    carrier_ghz: float = Field(default=3.5, ge=0.5, le=100, description="carrier frequency in GHz")
    speed_mps: float = Field(
        default=0.0, ge=0, le=1000, description="speed of the transmitter in m/s"
    )
    subcarriers: int = Field(
        default=64, ge=2, le=4096, description="N, number of subcarriers of an OFDM symbol"
    )
    spacing_khz: float = Field(default=15.0, gt=0, le=1e4, description="subcarrier spacing in kHz")

    def draw(self, streams: Streams, *, symbols: int) -> ComplexArray:
        """Draw H at every symbol of every codeword, complex64 (B, K).

        Raises:
            ConfigurationError: Sionna is not installed.
        """
        paths = _paths(self.profile, self.delay_spread_ns, self.carrier_ghz, self.speed_mps,
                       1e3 * self.spacing_khz)  # fmt: skip
        blocks = -(-symbols // self.subcarriers)
        frequencies_N = 1e3 * self.spacing_khz * np.arange(self.subcarriers)
        gains_BK = np.empty((streams.items, symbols), dtype=np.complex64)
        for row, item in enumerate(streams.numbers.tolist()):
            path_PS, delays_P = paths(_seed(streams, item), blocks)
            phasors_PN = np.exp(-2j * np.pi * np.outer(delays_P, frequencies_N))
            response_SN = (path_PS[:, :, None] * phasors_PN[:, None, :]).sum(axis=0)
            gains_BK[row] = response_SN.reshape(-1)[:symbols]
        return gains_BK

    def apply(self, symbols_BK: ComplexArray, state: ComplexArray) -> ComplexArray:
        """Send every codeword over the subcarriers."""
        return multiplied(symbols_BK, state)

    def gains(self, state: ComplexArray) -> ComplexArray:
        """Return H of every symbol, complex64 (B, K)."""
        return state


def _seed(streams: Streams, item: int) -> int:
    text = f"{streams.seed}\n{streams.link}\n{streams.point}\nsionna\n{item}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "little")


@lru_cache(maxsize=64)
def _paths(
    profile: Profile, delay_spread_ns: float, carrier_ghz: float, speed_mps: float, rate_hz: float
) -> Paths:
    """Return a function that draws the paths of one codeword, sampled once per OFDM symbol."""
    with needed_by("channel model sionna", "sionna"):
        from sionna.phy import config  # noqa: PLC0415 - torch, only where a model needs it
        from sionna.phy.channel.tr38901 import CDL, TDL, AntennaArray  # noqa: PLC0415
    family, _, letter = profile.partition("-")
    carrier_hz, spread_s = 1e9 * carrier_ghz, 1e-9 * delay_spread_ns
    speeds: dict[str, Any] = {"min_speed": speed_mps, "max_speed": speed_mps, "device": "cpu"}
    if family == "tdl":
        model = TDL(letter.upper(), spread_s, carrier_hz, **speeds)
    else:
        antenna = AntennaArray(
            num_rows=1, num_cols=1, polarization="single", polarization_type="V",
            antenna_pattern="omni", carrier_frequency=carrier_hz, device="cpu",
        )  # fmt: skip
        model = CDL(letter.upper(), spread_s, carrier_hz, antenna, antenna, "uplink", **speeds)

    def draw(seed: int, blocks: int) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
        config.seed = seed
        gains, delays = model(batch_size=1, num_time_steps=blocks, sampling_frequency=rate_hz)
        path_PS = gains.numpy().reshape(-1, blocks).astype(np.complex128)
        return path_PS, delays.numpy().reshape(-1).astype(np.float64)

    return draw
