"""Weights of an equaliser that knows the gain of each symbol of a codeword (no torch).

    w_k = conj(h_k) / (|h_k|^2 + a) / b,   b = mean over the codeword of |h_k|^2 / (|h_k|^2 + a)

    unbiased_mmse             a = N0
    regularized_zero_forcing  a = RIDGE times the mean of |h_k|^2 over the codeword

A symbol in a fade gets less weight than its neighbours, and b restores the scale with which
decoders were trained: averaged over the codeword, the sent symbols have a factor of 1. (The plain
MMSE has b = 1: it scales whole codewords by |h|^2 / (|h|^2 + N0).) With one gain per codeword there
is nothing to weight: both are zero forcing.

The weights are computed in float64 and rounded once, so that they are equal on every processor.
Shape legend: B batch (one codeword per image), K complex symbols.
"""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from semcom.points import EqualizerMethod

Symbols = npt.NDArray[np.complex64]
Powers = npt.NDArray[np.float64]
WeighingMethod = Literal["unbiased_mmse", "regularized_zero_forcing"]
RIDGE = 0.1  # no weight is above 1 / (2 b sqrt(RIDGE mean |h|^2)), 4 dB over the mean gain's
LEAST = 1e-12


def weighing(method: EqualizerMethod, columns: int) -> WeighingMethod | None:
    """Return the method if it weights the symbols of a codeword; otherwise None.

    Args:
        method: method of the equaliser.
        columns: number of columns of channel state.
    """
    match method:
        case "zero_forcing" | "mmse":
            return None
        case "unbiased_mmse" | "regularized_zero_forcing":
            return method if columns > 1 else None
        case _:
            assert_never(method)


def equalize_weighted(
    received_BK: Symbols,
    csi_BK: Symbols,
    *,
    method: WeighingMethod,
    noise_power_B1: npt.NDArray[np.float32],
) -> Symbols:
    """Invert a gain per symbol and weight the symbols of each codeword: complex64 (B, K).

    Args:
        received_BK: z~ = h z + n.
        csi_BK: the receiver's estimate of h of each symbol.
        method: see the module.
        noise_power_B1: N0 per complex symbol, linear.
    """
    gain_re, gain_im = csi_BK.real.astype(np.float64), csi_BK.imag.astype(np.float64)
    power_BK: Powers = gain_re * gain_re + gain_im * gain_im
    match method:
        case "unbiased_mmse":
            added_B1 = noise_power_B1.astype(np.float64)
        case "regularized_zero_forcing":
            added_B1 = RIDGE * _mean(power_BK)
        case _:
            assert_never(method)
    sum_BK = np.maximum(power_BK + added_B1, LEAST)
    scale_BK = 1.0 / (sum_BK * np.maximum(_mean(power_BK / sum_BK), LEAST))
    w_re, w_im = (gain_re * scale_BK).astype(np.float32), (-gain_im * scale_BK).astype(np.float32)
    z_re, z_im = received_BK.real, received_BK.imag
    equalized = np.empty(received_BK.shape, dtype=np.complex64)
    equalized.real = w_re * z_re - w_im * z_im
    equalized.imag = w_re * z_im + w_im * z_re
    return equalized


def _mean(values_BK: Powers) -> Powers:
    """Return the mean over the symbols (B, 1), added in their order on every processor."""
    mean_B1: Powers = values_BK.cumsum(axis=1)[:, -1:] / values_BK.shape[1]
    return mean_B1
