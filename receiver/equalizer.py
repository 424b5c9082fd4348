"""Equalisation: the receiver's work, never the channel's.

Shape legend: B batch (one codeword per image), K complex symbols.
"""

from __future__ import annotations

from torch import Tensor

from semcom.points import EqualizerMethod


def equalize(
    received_BK: Tensor,
    csi_B1: Tensor | None,
    *,
    method: EqualizerMethod,
    noise_power: Tensor | float,
) -> Tensor:
    """Undo the fading as far as the channel state is known.

    Args:
        received_BK: z~ = h z + n, complex64 (B, K).
        csi_B1: the receiver's estimate of h, complex64 (B, 1); None where it knows nothing.
        method: `zero_forcing` divides by the estimate; `mmse` weighs it against the noise.
        noise_power: N0 per complex symbol, linear; (B, 1) or a number.

    Returns:
        Symbols (B, K) complex64; as received where `csi_B1` is None.
    """
    if csi_B1 is None:
        return received_BK
    gain_B1 = csi_B1.real.square() + csi_B1.imag.square()
    if method == "mmse":
        return received_BK * (csi_B1.conj() / (gain_B1 + noise_power))
    # A fade so deep that the float is zero carries nothing: it must not become NaN.
    return received_BK * (csi_B1.conj() / gain_B1.clamp_min(1e-12))
