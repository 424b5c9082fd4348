"""The channel state of each symbol, for receivers of the family `digital`.

Shape legend: K complex symbols of a codeword, M columns of channel state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from receiver.numpy_equalizer import SMALLEST_POWER, effective_csi

Symbols = npt.NDArray[np.complex64]
Reals = npt.NDArray[np.float32]


class Equalized(NamedTuple):
    """A codeword without its fading (K,), and the noise power of each symbol (K,)."""

    symbols_K: Symbols
    noise_K: Reals


def equalized(received_K: Symbols, csi_M: Symbols | None, *, snr_db: float) -> Equalized:
    """Undo the fading of one codeword; the noise of faded symbols is then stronger.

    The channel's equaliser is not used: z / h with noise N0 / |h|^2 loses no information.
    """
    noise = 10.0 ** (-snr_db / 10.0)
    gains = np.ones(1, np.complex64) if csi_M is None else csi_M
    if len(gains) not in (1, len(received_K)):
        gains = effective_csi(gains[None])[0]
    wide = gains.astype(np.complex128)
    power = np.maximum(np.square(np.abs(wide)), SMALLEST_POWER)
    symbols_K = (received_K * wide.conj() / power).astype(np.complex64)
    noise_K = np.broadcast_to(noise / power, symbols_K.shape).astype(np.float32)
    return Equalized(symbols_K, noise_K)
