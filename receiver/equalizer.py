"""Equalisation at the receiver.

Shape legend: B batch (one codeword per image), K complex symbols, M columns of channel state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from receiver import numpy_equalizer
from receiver.symbol_weights import equalize_weighted, weighing
from semcom.points import EqualizerMethod


def equalize(
    received_BK: Tensor,
    csi_BM: Tensor | None,
    *,
    method: EqualizerMethod,
    noise_power: Tensor | float,
) -> Tensor:
    """Undo the fading as far as the channel state is known.

    Args:
        received_BK: z~ = h z + n, complex64 (B, K).
        csi_BM: the receiver's estimate of h, complex64 (B, M): one gain per codeword (M = 1) or per
            symbol (M = K). For any other M, only the effective gain is inverted. None without
            channel state.
        method: `zero_forcing` divides by the estimate; `mmse` weights it against the noise, which
            also scales the symbols down; the others weight the symbols of a codeword relative to
            each other (`receiver.symbol_weights`), here without a gradient.
        noise_power: N0 per complex symbol, linear; (B, 1) or a number.

    Returns:
        Symbols (B, K) complex64; unchanged if `csi_BM` is None.
    """
    if csi_BM is None:
        return received_BK
    if csi_BM.shape[1] not in (1, received_BK.shape[1]):
        csi_BM = effective_csi(csi_BM)
    if weighs := weighing(method, csi_BM.shape[1]):
        powers = torch.as_tensor(noise_power, dtype=torch.float32).expand(len(csi_BM), 1)
        given = (each.numpy(force=True) for each in (received_BK, csi_BM, powers))
        received, csi, noise_power_B1 = given
        weighted = equalize_weighted(received, csi, method=weighs, noise_power_B1=noise_power_B1)
        return torch.from_numpy(weighted).to(received_BK.device)
    power_BM = csi_BM.real.square() + csi_BM.imag.square()
    if method == "mmse":
        return received_BK * (csi_BM.conj() / (power_BM + noise_power))
    # A gain that underflows to zero carries no information and must not give NaN.
    return received_BK * (csi_BM.conj() / power_BM.clamp_min(1e-12))


def equalize_arrays(
    received_NK: npt.NDArray[np.complex64],
    csi_NM: npt.NDArray[np.complex64] | None,
    *,
    snr_db_N: Tensor,
    method: EqualizerMethod,
) -> Tensor:
    """Equalise a received frame on the device of its SNRs; see `equalize`.

    Returns:
        Symbols (N, K) complex64; N0 follows from the SNR (N,) in dB.
    """
    if weighing(method, 0 if csi_NM is None else csi_NM.shape[1]):  # bit-identical in both engines
        snrs = snr_db_N.numpy(force=True)
        weighted = numpy_equalizer.equalize(
            received_NK, csi_NM, method=method, noise_power_B1=numpy_equalizer.noise_power(snrs)
        )
        return torch.from_numpy(weighted).to(snr_db_N.device)
    received = torch.from_numpy(received_NK).to(snr_db_N.device)
    csi = None if csi_NM is None else torch.from_numpy(csi_NM).to(snr_db_N.device)
    noise_power = torch.pow(10.0, -snr_db_N / 10.0).unsqueeze(1)
    return equalize(received, csi, method=method, noise_power=noise_power)


def effective_csi(csi_BM: Tensor) -> Tensor:
    """Return channel state of one column, complex64 (B, 1), for codecs that take only one.

    One column is unchanged; several give the real gain sqrt(mean_m |h_m|^2).
    """
    if csi_BM.shape[1] == 1:
        return csi_BM
    power_BM = csi_BM.real.square() + csi_BM.imag.square()
    gain_B1 = power_BM.mean(dim=1, keepdim=True).sqrt()
    return torch.complex(gain_B1, torch.zeros_like(gain_B1))
