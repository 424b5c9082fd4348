"""Equalisation without torch: `receiver.equalizer` in numpy, the same up to rounding.

Shape legend: B batch (one codeword per image), K complex symbols, M columns of channel state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from receiver.symbol_weights import equalize_weighted, weighing
from semcom.points import EqualizerMethod

Symbols = npt.NDArray[np.complex64]
Reals = npt.NDArray[np.float32]
SMALLEST_POWER = np.float32(1e-12)


def equalize(
    received_BK: Symbols,
    csi_BM: Symbols | None,
    *,
    method: EqualizerMethod,
    noise_power_B1: Reals,
) -> Symbols:
    """Undo the fading as far as the channel state is known; see `receiver.equalizer.equalize`."""
    if csi_BM is None:
        return received_BK
    if csi_BM.shape[1] not in (1, received_BK.shape[1]):
        csi_BM = effective_csi(csi_BM)
    if weighs := weighing(method, csi_BM.shape[1]):
        return equalize_weighted(received_BK, csi_BM, method=weighs, noise_power_B1=noise_power_B1)
    power_BM = _power(csi_BM)
    if method == "mmse":
        weight_BM = csi_BM.conj() / (power_BM + noise_power_B1)
    else:  # a gain that underflows to zero carries no information and must not give NaN
        weight_BM = csi_BM.conj() / np.maximum(power_BM, SMALLEST_POWER)
    equalized: Symbols = received_BK * weight_BM
    return equalized


def noise_power(snr_db_N: Reals) -> Reals:
    """Return N0 per complex symbol, linear: SNR (N,) in dB -> float32 (N, 1)."""
    power: Reals = np.power(np.float32(10.0), -snr_db_N[:, None] / np.float32(10.0))
    return power


def effective_csi(csi_BM: Symbols) -> Symbols:
    """Return channel state of one column (B, 1); see `receiver.equalizer.effective_csi`."""
    if csi_BM.shape[1] == 1:
        return csi_BM
    gain_B1: Reals = np.sqrt(_power(csi_BM).mean(axis=1, keepdims=True))
    return gain_B1.astype(np.complex64)


def _power(csi_BM: Symbols) -> Reals:
    power_BM: Reals = np.square(csi_BM.real) + np.square(csi_BM.imag)
    return power_BM
