"""The inputs of a user's decoder for a slot: the received feature and the channel state.

Used in training and in deployment.

Shape legend: N slots, K complex symbols, U users, S side values, C channels of the feature,
h = H / 4, w = W / 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semcom.families.semnoma import SemnomaArchitecture
from semcom.nn.symbols import symbols_to_reals

SNR_SCALE_DB = 20.0
LEAST_GAIN = 1e-12  # so deep a fade must not give NaN


def received_feature(
    architecture: SemnomaArchitecture, received_NK: Tensor, gains_NU: Tensor, *, user: int
) -> Tensor:
    """Return the input of a user's decoder: complex64 (N, K) -> float32 (N, C, h, w).

    It is rotated by the phase of the user's gain, y conj(h) / |h|, unless `csi` is `own`.
    """
    if architecture.csi == "aligned":
        gain_N1 = gains_NU[:, user : user + 1]
        received_NK = received_NK * (gain_N1.conj() / gain_N1.abs().clamp_min(LEAST_GAIN))
    reals = symbols_to_reals(received_NK, 2 * architecture.symbols)
    return reals.reshape(-1, *architecture.feature)


def side_values(
    architecture: SemnomaArchitecture, gains_NU: Tensor, snr_db_N: Tensor, *, user: int
) -> Tensor:
    """Return the channel state for a user's decoder: complex64 (N, U) -> float32 (N, S).

    `aligned`: SNR / 20, |h| of the user, |h| of the others, then cosine and sine of the others'
    phases relative to the user's own. `own`: SNR / 20, |h| and phase of the user.
    """
    snr_N = snr_db_N.clamp(*architecture.snr_db) / SNR_SCALE_DB
    own_N = gains_NU[:, user]
    if architecture.csi == "own":
        return torch.stack([snr_N, own_N.abs(), own_N.angle()], dim=1)
    others = [gains_NU[:, other] for other in range(gains_NU.shape[1]) if other != user]
    turned = [other_N * own_N.conj() for other_N in others]
    phasors = [each_N / each_N.abs().clamp_min(LEAST_GAIN) for each_N in turned]
    parts = [part for each_N in phasors for part in (each_N.real, each_N.imag)]
    return torch.stack([snr_N, own_N.abs(), *(other.abs() for other in others), *parts], dim=1)
