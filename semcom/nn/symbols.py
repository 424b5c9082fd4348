"""Real codewords <-> complex symbols, and the power constraint of the transmitter.

Shape legend: B batch, c real dimensions of a codeword, K = ceil(c / 2) complex symbols.
Adjacent reals are (I, Q) of one symbol; an odd c is padded with one zero real, which counts neither
for the power nor in decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def normalize_power(codeword_Bc: Tensor, used_B: Tensor | None = None) -> Tensor:
    """Scale each row to mean square 1/2 per real, that is mean |z|^2 = 1 per complex symbol.

    Per image, never per batch: rows do not affect each other's SNR. A zero row stays zero.
    `used_B`: number of reals of each row that are sent; the others are zero.
    """
    mean_square_B1 = codeword_Bc.square().mean(dim=1, keepdim=True)
    if used_B is not None:
        mean_square_B1 = mean_square_B1 * (codeword_Bc.shape[1] / used_B.unsqueeze(1))
    return codeword_Bc * torch.rsqrt(2.0 * mean_square_B1.clamp_min(1e-12))


def normalize_increments(codeword_Bc: Tensor, increments: Sequence[int]) -> Tensor:
    """Scale each increment of each row, so that any leading ones have unit mean power.

    `increments`: complex symbols of each, c / 2 in all.
    """
    parts = torch.split(codeword_Bc, [2 * symbols for symbols in increments], dim=1)
    return torch.cat([normalize_power(part) for part in parts], dim=1)


def come_increments(used_B: Tensor, lengths: Sequence[int]) -> Tensor:
    """Return which increments are complete: symbols received (B,), `lengths` (I,) -> bool (B, I).

    `lengths` are the symbols of one increment, of two, ...
    """
    return used_B.unsqueeze(1) >= torch.tensor(lengths, device=used_B.device)


def reals_to_symbols(codeword_Bc: Tensor) -> Tensor:
    """(B, c) float32 -> (B, K) complex64."""
    padded = F.pad(codeword_Bc, (0, codeword_Bc.shape[1] % 2))
    return torch.view_as_complex(padded.reshape(len(padded), -1, 2))


def symbols_to_reals(symbols_BK: Tensor, real_dims: int) -> Tensor:
    """(B, K) complex64 -> (B, c) float32; drops the padding real of an odd c."""
    return torch.view_as_real(symbols_BK).flatten(1)[:, :real_dims]
