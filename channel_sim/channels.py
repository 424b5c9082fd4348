"""Built-in channels: draw the fading and the noise, then apply them by one formula, eq. (3).

A draw is a value: it can be logged, replayed and passed on as channel state information.
Shape legend: B images (one codeword each), K complex symbols per codeword.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from channel_sim.noise import ComplexArray, Items, Normals, complex_normals_of, stream_key
from semcom.points import ChannelSettings, PointSpec
from semcom.used_symbols import Mask, parse_used, used_mask
from semcom.wire import Powers, mean_power, real_view

LEAST_DB = -400.0  # bound of a measured SNR in messages, for codewords with almost no power


class RealArray(Protocol):
    """The arithmetic shared by numpy arrays and torch tensors."""

    def __mul__(self, other: Self, /) -> Self: ...
    def __add__(self, other: Self, /) -> Self: ...
    def __sub__(self, other: Self, /) -> Self: ...


RealT = TypeVar("RealT", bound=RealArray)


class Codewords(NamedTuple):
    """Items of a link at a point from `first_image` on, one codeword each.

    `used`: number of symbols sent for each, as in frames; empty: all.
    """

    point: PointSpec
    link: str
    first_image: int
    images: int
    used: bytes = b""

    def items(self, purpose: str) -> Items:
        """Return the item numbers of a purpose."""
        return Items(draw_key(self.point, self.link, purpose), self.first_image, self.images)

    @property
    def fading(self) -> ChannelSettings | None:
        """The built-in block fading that applies to them; None if there is none."""
        channel = self.point.channel
        if not isinstance(channel, ChannelSettings) or channel.model == "awgn":
            return None
        return channel

    @property
    def has_csi(self) -> bool:
        """Return whether the receiver knows their block fading."""
        fading = self.fading
        return fading is not None and fading.csi != "none"


class Through(NamedTuple):
    """Frames after their channels, with noise.

    received_BK of all codewords; csi_BM, whose rows or columns of those without channel state mean
    nothing, or None where none has any; the measured SNR of each frame.
    """

    received_BK: ComplexArray
    csi_BM: ComplexArray | None
    snrs_db: list[float | None]


@dataclass(frozen=True)
class ChannelDraw:
    """One realisation: fading_B1, noise_BK and the receiver's CSI (None without CSI)."""

    fading_B1: ComplexArray
    noise_BK: ComplexArray
    csi_B1: ComplexArray | None


def draw_channel(
    point: PointSpec, *, link: str, first_image: int, images: int, symbols: int
) -> ChannelDraw:
    """Draw the channel for items of a link at a point from `first_image` on.

    Every number is keyed by (seed, link, point, item, purpose), never by order, batch or time.
    """
    return draw_channels([Codewords(point, link, first_image, images)], symbols=symbols)


def draw_channels(
    frames: Sequence[Codewords], *, symbols: int, normals: Normals = complex_normals_of
) -> ChannelDraw:
    """Draw the channels of several frames at once, with the same results as one by one, but faster.

    `csi_B1` is set if any frame has CSI; rows of frames without it are meaningless.
    """
    noise_BK = draw_noise(frames, symbols=symbols, normals=normals)
    fading_B1 = draw_fading(frames, normals)
    return ChannelDraw(fading_B1, noise_BK, channel_state(frames, fading_B1, normals))


def draw_noise(
    frames: Sequence[Codewords], *, symbols: int, normals: Normals = complex_normals_of
) -> ComplexArray:
    """Draw noise CN(0, N0) for each symbol: complex64 (all codewords, symbols)."""
    noise_BK = normals([frame.items("noise") for frame in frames], per_item=symbols)
    scales = np.array([np.sqrt(frame.point.noise_power) for frame in frames], dtype=np.float32)
    scales_B1 = np.repeat(scales, [frame.images for frame in frames])[:, None]
    real_view(noise_BK)[...] *= scales_B1
    return noise_BK


def draw_fading(frames: Sequence[Codewords], normals: Normals = complex_normals_of) -> ComplexArray:
    """Draw block fading, E|h|^2 = 1: a gain per `coherence` codewords, complex64 (codewords, 1).

    Rician: h = sqrt(K/(K+1)) + sqrt(1/(K+1)) CN(0, 1).
    """
    fading_B1 = np.ones((sum(frame.images for frame in frames), 1), dtype=np.complex64)
    faded = [
        (rows, frame, fading)
        for rows, frame in _rows(frames)
        if (fading := frame.fading) is not None
    ]
    blocks = [_blocks(frame, channel.coherence) for _, frame, channel in faded]
    scattered = _gains(blocks, normals)
    for (rows, frame, channel), own, scattered_N1 in zip(faded, blocks, scattered, strict=True):
        gains_N1 = with_line_of_sight(channel, scattered_N1)
        if channel.coherence > 1:
            images = frame.first_image + np.arange(frame.images)
            gains_N1 = gains_N1[images // channel.coherence - own.first]
        fading_B1[rows] = gains_N1
    return fading_B1


def with_line_of_sight(channel: ChannelSettings, scattered_N1: ComplexArray) -> ComplexArray:
    """Return the gains of a fading channel from draws of CN(0, 1), both complex64 (N, 1)."""
    if channel.model == "rayleigh":
        return scattered_N1
    k = channel.rician_k
    scaled = scattered_N1 * np.float32(np.sqrt(1.0 / (k + 1.0)))
    return scaled + np.complex64(np.sqrt(k / (k + 1.0)))


def apply_channel(
    symbols: tuple[RealT, RealT], fading: tuple[RealT, RealT], noise: tuple[RealT, RealT]
) -> tuple[RealT, RealT]:
    """Return z~ = h z + n on (real, imaginary) pairs of numpy arrays or torch tensors.

    Computed on real parts, because a complex product may use fused operations on some processors;
    these operations are rounded one by one everywhere.
    """
    (faded_re, faded_im), (n_re, n_im) = fade(symbols, fading), noise
    return faded_re + n_re, faded_im + n_im


def fade(symbols: tuple[RealT, RealT], fading: tuple[RealT, RealT]) -> tuple[RealT, RealT]:
    """Return h z, as `apply_channel` does without noise."""
    (z_re, z_im), (h_re, h_im) = symbols, fading
    return h_re * z_re - h_im * z_im, h_re * z_im + h_im * z_re


def unused_symbols(frames: Sequence[Codewords], symbols: int) -> Mask | None:
    """Return which symbols of all codewords are not sent, bool (B, K); None if all are."""
    if not any(frame.used for frame in frames):
        return None
    used = [parse_used(frame.used, rows=frame.images, symbols=symbols) for frame in frames]
    return ~used_mask(np.concatenate(used), symbols)


def pass_through(symbols_BK: ComplexArray, draw: ChannelDraw) -> ComplexArray:
    """Apply a draw to symbols: complex64 (B, K) -> complex64 (B, K)."""
    if (draw.fading_B1 == 1).all():
        return symbols_BK + draw.noise_BK  # same result as the formula in a quarter of the time
    received = np.empty_like(symbols_BK)
    received.real, received.imag = apply_channel(
        parts(symbols_BK), parts(draw.fading_B1), parts(draw.noise_BK)
    )
    return received


def through_channels(
    frames: Sequence[Codewords],
    symbols_BK: ComplexArray,
    power_B: Powers,
    *,
    normals: Normals = complex_normals_of,
) -> Through:
    """Take frames, whose codewords lie one below the other, through our channels.

    Args:
        frames: whose codewords they are. For one with the channel of a package noise is added.
        symbols_BK: the codewords, complex64.
        power_B: their `mean_power`, over all symbols.
        normals: what draws.
    """
    unused_BK = unused_symbols(frames, symbols_BK.shape[1])
    draw = draw_channels(frames, symbols=symbols_BK.shape[1], normals=normals)
    if unused_BK is not None:
        draw.noise_BK[unused_BK] = 0
    received_BK = pass_through(symbols_BK, draw)
    if unused_BK is not None:
        received_BK[unused_BK] = 0  # a faded zero may be a negative one
    starts = [rows.start for rows, _ in _rows(frames)]
    return Through(received_BK, draw.csi_B1, measured_snrs_db(power_B, draw, starts))


def superpose_channels(
    members: Sequence[Codewords],
    amplitudes: Sequence[float],
    symbols: Sequence[ComplexArray],
    *,
    noise_link: str,
    normals: Normals = complex_normals_of,
) -> Through:
    """Take the frames of a slot through our channels, add them up, and one noise over all.

    Args:
        members: whose codewords they are. One with the channel of a package has been through it.
        amplitudes: by which the symbols of each are multiplied.
        symbols: the codewords of each, complex64 (B, K).
        noise_link: whose name keys the noise.
        normals: what draws.

    Returns:
        The sum; a column of channel state for each member.
    """
    summed_BK: ComplexArray | None = None
    states: list[ComplexArray] = []
    for member, amplitude, symbols_BK in zip(members, amplitudes, symbols, strict=True):
        fading_B1 = draw_fading([member], normals)
        state_B1 = channel_state([member], fading_B1, normals)
        states.append(fading_B1 if state_B1 is None else state_B1)
        scaled_BK = symbols_BK.copy()
        if not (fading_B1 == 1).all():
            scaled_BK.real, scaled_BK.imag = fade(parts(symbols_BK), parts(fading_B1))
        real_view(scaled_BK)[...] *= np.float32(amplitude)
        summed_BK = scaled_BK if summed_BK is None else summed_BK + scaled_BK
    assert summed_BK is not None
    noise_BK = draw_noise(
        [members[0]._replace(link=noise_link)], symbols=summed_BK.shape[1], normals=normals
    )
    signal, noise = (float(mean_power(it).sum(dtype=np.float64)) for it in (summed_BK, noise_BK))
    csi_BU = np.concatenate(states, axis=1) if any(it.has_csi for it in members) else None
    return Through(summed_BK + noise_BK, csi_BU, [snr_db(signal, noise)])


def measured_snr_db(symbols_BK: ComplexArray, draw: ChannelDraw) -> float | None:
    """Return the power of faded symbols over that of the drawn noise, dB; None if one is zero."""
    return measured_snrs_db(mean_power(symbols_BK), draw, [0])[0]


def measured_snrs_db(
    power_B: Powers, draw: ChannelDraw, starts: Sequence[int]
) -> list[float | None]:
    """Return the same for several frames, which begin at codewords `starts`, from `mean_power`."""
    gain_B = mean_power(draw.fading_B1)
    signal_F = np.add.reduceat((power_B * gain_B).astype(np.float64), starts)
    noise_F = np.add.reduceat(mean_power(draw.noise_BK).astype(np.float64), starts)
    return [
        snr_db(signal, noise)
        for signal, noise in zip(signal_F.tolist(), noise_F.tolist(), strict=True)
    ]


def snr_db(signal: float, noise: float) -> float | None:
    """Return the ratio of two powers in dB, as in messages; None if one is zero."""
    there = signal > 0.0 and noise > 0.0
    return max(LEAST_DB, 10.0 * math.log10(signal / noise)) if there else None


def parts(array: ComplexArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the real and the imaginary parts."""
    return array.real, array.imag


@lru_cache(maxsize=4096)
def draw_key(point: PointSpec, link: str, purpose: str) -> tuple[int, int]:
    """Return the key of what is drawn for a link at a point for a purpose."""
    return stream_key(seed=point.seed, link=link, point=point.key_text, purpose=purpose)


def _rows(frames: Sequence[Codewords]) -> Iterator[tuple[slice, Codewords]]:
    """Yield every frame and its rows among those of all."""
    first = 0
    for frame in frames:
        yield slice(first, first + frame.images), frame
        first += frame.images


def _blocks(frame: Codewords, coherence: int) -> Items:
    """Return the coherence blocks of a frame's codewords."""
    images = frame.items("fading")
    first = images.first // coherence
    last = (images.first + images.number - 1) // coherence
    return Items(images.key, first, last - first + 1)


def _gains(items: Sequence[Items], normals: Normals) -> list[ComplexArray]:
    """Draw one CN(0, 1) per item, in an array (items, 1) for each range."""
    if not items:
        return []
    ends = np.cumsum([each.number for each in items])[:-1]
    return np.split(normals(items, per_item=1), ends)


def channel_state(
    frames: Sequence[Codewords], fading_B1: ComplexArray, normals: Normals = complex_normals_of
) -> ComplexArray | None:
    """Return the receivers' channel state; None if no frame has any."""
    if not any(frame.has_csi for frame in frames):
        return None
    mismatched = [
        (rows, frame, fading.csi_error_variance)
        for rows, frame in _rows(frames)
        if (fading := frame.fading) is not None and fading.csi == "mismatch"
    ]
    csi_B1 = fading_B1.copy() if mismatched else fading_B1
    errors = _gains([frame.items("csi") for _, frame, _ in mismatched], normals)
    for (rows, _, variance), error_N1 in zip(mismatched, errors, strict=True):
        csi_B1[rows] += error_N1 * np.float32(np.sqrt(variance))
    return csi_B1
