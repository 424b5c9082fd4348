"""Choose QAM and rate of an image codec for each SNR from a fixed list (no torch).

    expected PSNR = (1 - e) PSNR of the files that fit the block + e PSNR of the mean colour

e is the share of blocks that fail, measured over AWGN (`orchestrator.training.
block_error_process`). Over Rayleigh fading, it is the mean over the SNRs of the fades.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from semcom.families.digital import MAX_BLOCK_BYTES, BitsPerSymbol, Mode
from semcom.families.image_formats import ImageFormat, compress_to_fit, decompress
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db

FadingOfModes = Literal["awgn", "rayleigh"]
Images = npt.NDArray[np.uint8]
# Bits of a symbol and rate of the code.
LIST: tuple[tuple[BitsPerSymbol, float], ...] = (
    (2, 1 / 3), (2, 1 / 2), (2, 2 / 3), (2, 5 / 6), (4, 1 / 2), (4, 2 / 3), (4, 5 / 6),
    (6, 2 / 3), (6, 5 / 6), (6, 0.92),
)  # fmt: skip
SNRS_DB = range(-10, 31)
FADES = 2000  # of which the mean is taken


@dataclass(frozen=True)
class Candidate:
    """A mode of the list: bits of a symbol, and bytes of its block."""

    bits_per_symbol: BitsPerSymbol
    block_bytes: int


@dataclass(frozen=True)
class Curve:
    """The share of blocks that fail over AWGN at ascending SNRs; 1 below and 0 above them."""

    snr_db: tuple[float, ...]
    share: tuple[float, ...]

    def at(self, snr_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the share at any SNRs, in dB."""
        return np.interp(snr_db, self.snr_db, self.share, left=1.0, right=0.0)

    def over(self, channel: FadingOfModes, snr_db: float) -> float:
        """Return the share at a mean SNR over a channel."""
        gains = np.ones(1)
        if channel == "rayleigh":
            gains = -np.log1p(-(np.arange(FADES) + 0.5) / FADES)
        return float(self.at(snr_db + 10.0 * np.log10(gains)).mean())


def candidates(symbols: int) -> list[Candidate]:
    """Return the modes possible with this many symbols."""
    found = [Candidate(bits, int(symbols * bits * rate) // 8) for bits, rate in LIST]
    return [each for each in found if 2 <= each.block_bytes <= MAX_BLOCK_BYTES]


def file_psnrs(
    images: Images, kind: ImageFormat, sizes: Sequence[int], mean: npt.NDArray[np.uint8]
) -> list[float]:
    """Return the mean PSNR in dB of files of at most this many bytes.

    An image that does not fit counts as the mean colour.
    """
    plain = np.broadcast_to(mean, images.shape[1:])
    found: list[float] = []
    for size in sizes:
        read = [_read(image, kind, size) for image in images]
        answers = np.stack([plain if each is None else each for each in read])
        found.append(mean_psnr(answers, images))
    return found


def mean_psnr(answers: Images, images: Images) -> float:
    """Return the mean of the images' PSNRs in dB."""
    return float(psnr_db(mean_squared_errors(answers, images)).mean())


def choose(
    modes: Sequence[tuple[Candidate, Curve, float]],
    *,
    failed_psnr_db: float,
    channel: FadingOfModes,
) -> tuple[Mode, ...]:
    """Return the mode with the highest expected PSNR at each SNR where it changes.

    Args:
        modes: error curve over AWGN and PSNR of the files in dB, for each candidate.
        failed_psnr_db: PSNR of the mean colour.
        channel: over which images are sent.
    """
    chosen: list[Mode] = []
    last: Candidate | None = None
    for snr_db in SNRS_DB:
        expected = [
            failed_psnr_db + (1.0 - curve.over(channel, snr_db)) * (psnr - failed_psnr_db)
            for _, curve, psnr in modes
        ]
        best = modes[int(np.argmax(expected))][0]  # of equals, that with the fewest bits
        if best != last:
            chosen.append(
                Mode(
                    snr_db=snr_db,
                    bits_per_symbol=best.bits_per_symbol,
                    block_bytes=best.block_bytes,
                )
            )
            last = best
    return tuple(chosen)


def _read(image: Images, kind: ImageFormat, size: int) -> Images | None:
    content = compress_to_fit(image, kind, size)
    height, width = image.shape[:2]
    return None if content is None else decompress(content, kind, (height, width))
