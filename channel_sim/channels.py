"""Channel models: draw the fading and the noise, then apply them by one formula, eq. (3).

What is drawn is a value: it can be logged, replayed and handed on as channel state information.
Shape legend: B images (one codeword each), K complex symbols per codeword.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from channel_sim.noise import ComplexArray, complex_normals, stream_key
from semcom.points import ChannelSettings, PointSpec


class RealArray(Protocol):
    """The arithmetic that a numpy array and a torch tensor share."""

    def __mul__(self, other: Self, /) -> Self: ...
    def __add__(self, other: Self, /) -> Self: ...
    def __sub__(self, other: Self, /) -> Self: ...


RealT = TypeVar("RealT", bound=RealArray)


@dataclass(frozen=True)
class ChannelDraw:
    """One realisation: fading_B1, noise_BK and the CSI that the receiver gets (None: nothing)."""

    fading_B1: ComplexArray
    noise_BK: ComplexArray
    csi_B1: ComplexArray | None


def draw_channel(
    point: PointSpec, *, link: str, first_image: int, images: int, symbols: int
) -> ChannelDraw:
    """Draw the channel of images `first_image` ... of a link at a point.

    Every number is keyed by (seed, link, point, image, purpose): never by order, batch or time.
    """
    noise_BK = complex_normals(
        _key(point, link, "noise"), first_item=first_image, items=images, per_item=symbols
    )
    noise_BK *= np.float32(np.sqrt(point.noise_power))
    fading_B1 = draw_fading(point, link=link, first_image=first_image, images=images)
    csi_B1 = _csi(point, fading_B1, link=link, first_image=first_image)
    return ChannelDraw(fading_B1=fading_B1, noise_BK=noise_BK, csi_B1=csi_B1)


def draw_fading(point: PointSpec, *, link: str, first_image: int, images: int) -> ComplexArray:
    """Block fading, E|h|^2 = 1: one gain per `coherence` codewords, complex64 (images, 1).

    Rician: h = sqrt(K/(K+1)) + sqrt(1/(K+1)) CN(0, 1).
    """
    channel = point.channel
    if channel.model == "awgn":
        return np.ones((images, 1), dtype=np.complex64)
    first_block = first_image // channel.coherence
    blocks = (first_image + images - 1) // channel.coherence - first_block + 1
    scattered = complex_normals(
        _key(point, link, "fading"), first_item=first_block, items=blocks, per_item=1
    )
    index = (first_image + np.arange(images)) // channel.coherence - first_block
    return _line_of_sight(channel, scattered)[index]


def apply_channel(
    symbols: tuple[RealT, RealT], fading: tuple[RealT, RealT], noise: tuple[RealT, RealT]
) -> tuple[RealT, RealT]:
    """z~ = h z + n on (real, imaginary) pairs of numpy arrays or torch tensors alike.

    Written on real parts because a complex product may fuse its roundings on one processor and
    not on another; these operations are rounded one by one everywhere.
    """
    (z_re, z_im), (h_re, h_im), (n_re, n_im) = symbols, fading, noise
    return h_re * z_re - h_im * z_im + n_re, h_re * z_im + h_im * z_re + n_im


def pass_through(symbols_BK: ComplexArray, draw: ChannelDraw) -> ComplexArray:
    """Apply a draw to symbols: complex64 (B, K) -> complex64 (B, K)."""
    received = np.empty_like(symbols_BK)
    received.real, received.imag = apply_channel(
        _parts(symbols_BK), _parts(draw.fading_B1), _parts(draw.noise_BK)
    )
    return received


def measured_snr_db(symbols_BK: ComplexArray, draw: ChannelDraw) -> float | None:
    """Power of the faded symbols over that of the noise as drawn, dB; None where one is zero."""
    power_B1 = np.mean(np.square(symbols_BK.real) + np.square(symbols_BK.imag), 1, keepdims=True)
    gain_B1 = np.square(draw.fading_B1.real) + np.square(draw.fading_B1.imag)
    signal = float(np.mean(power_B1 * gain_B1, dtype=np.float64))
    noise = float(np.mean(np.square(draw.noise_BK.real) + np.square(draw.noise_BK.imag)))
    if signal <= 0.0 or noise <= 0.0:
        return None
    return float(10.0 * np.log10(signal / noise))


def _parts(array: ComplexArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    return array.real, array.imag


@lru_cache(maxsize=4096)
def _key(point: PointSpec, link: str, purpose: str) -> tuple[int, int]:
    return stream_key(seed=point.seed, link=link, point=point.key_text, purpose=purpose)


def _line_of_sight(channel: ChannelSettings, scattered_N1: ComplexArray) -> ComplexArray:
    if channel.model == "rayleigh":
        return scattered_N1
    k = channel.rician_k
    scaled = scattered_N1 * np.float32(np.sqrt(1.0 / (k + 1.0)))
    return scaled + np.complex64(np.sqrt(k / (k + 1.0)))


def _csi(
    point: PointSpec, fading_B1: ComplexArray, *, link: str, first_image: int
) -> ComplexArray | None:
    channel = point.channel
    if channel.csi == "none" or channel.model == "awgn":
        return None
    if channel.csi == "perfect":
        return fading_B1
    error = complex_normals(
        _key(point, link, "csi"), first_item=first_image, items=len(fading_B1), per_item=1
    )
    return fading_B1 + error * np.float32(np.sqrt(channel.csi_error_variance))
