"""16-QAM of bytes, without a channel code: two symbols a byte, each codeword of unit power.

A byte's bits, the highest first, are four pairs (sign, inner): two reals of the first symbol, two
of the second. A pair is +-1 or +-3 in Gray order (00 -> -3, 01 -> -1, 11 -> 1, 10 -> 3); the
codeword is then scaled to a mean |z|^2 of 1, as every codeword is.

How it was scaled follows from how many of its reals are outer ones, and no receiver is told that:
the decision is of all reals together.

Shape legend: B codewords, N bytes of each, R = 4 N reals, K = 2 N complex symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor

SYMBOLS_PER_BYTE = 2
REALS_PER_BYTE = 4
OUTER = 3.0


def bytes_to_symbols(bytes_BN: Tensor) -> Tensor:
    """0..255 int64 (B, N) -> complex64 (B, K) of unit mean power."""
    shifts = torch.arange(6, -1, -2, device=bytes_BN.device)
    pairs_BR = ((bytes_BN.unsqueeze(2) >> shifts) & 3).flatten(1)
    sign_BR = (pairs_BR >> 1) * 2 - 1
    levels_BR = (sign_BR * torch.where((pairs_BR & 1) == 1, 1, 3)).to(torch.float32)
    power_B1 = 2.0 * levels_BR.square().mean(dim=1, keepdim=True)  # of complex symbols
    reals_BR = levels_BR * torch.rsqrt(power_B1)
    return torch.view_as_complex(reals_BR.reshape(len(reals_BR), -1, 2))


def symbols_to_bytes(symbols_BK: Tensor) -> Tensor:
    """Decide for the most likely codeword: complex64 (B, K) -> 0..255 int64 (B, N).

    With m outer reals the levels are +-a and +-3 a, where a follows from m. The most likely
    codeword with m of them has its outer levels where |r| is largest; the best m wins.
    """
    reals_BR = torch.view_as_real(symbols_BK.contiguous()).flatten(1).to(torch.float64)
    sizes_BR, order_BR = reals_BR.abs().sort(dim=1, descending=True)
    count = reals_BR.shape[1]
    m_M = torch.arange(count + 1, device=reals_BR.device, dtype=torch.float64)
    a_M = torch.rsqrt(2.0 * (count + (OUTER**2 - 1.0) * m_M) / count)
    # sum (|r| - l)^2 without sum |r|^2: -2 sum l |r| + sum l^2, the latter the same for all m.
    outer_BM = torch.cat([torch.zeros_like(sizes_BR[:, :1]), sizes_BR.cumsum(dim=1)], dim=1)
    matched_BM = a_M * (sizes_BR.sum(dim=1, keepdim=True) + (OUTER - 1.0) * outer_BM)
    outer_B1 = matched_BM.argmax(dim=1, keepdim=True)
    rank_BR = order_BR.argsort(dim=1)
    inner_BR = (rank_BR >= outer_B1).to(torch.int64)
    positive_BR = (reals_BR > 0).to(torch.int64)
    pairs_BN4 = (2 * positive_BR + inner_BR).reshape(len(reals_BR), -1, REALS_PER_BYTE)
    shifts = torch.arange(6, -1, -2, device=reals_BR.device)
    return (pairs_BN4 << shifts).sum(dim=2)
