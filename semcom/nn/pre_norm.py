"""Transformer layers of images, with the layer norm before each part.

Shape legend: B images, T tokens, S tokens of a memory, D width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from semcom.nn.transformer import Attention


class GeluForward(nn.Module):
    """Linear, GELU, Linear."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        out: Tensor = self.down(F.gelu(self.up(x)))
        return out


class PreNormLayer(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = GeluForward(width, inner)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        x_BTD = x_BTD + _attended(self.attention, self.norm1(x_BTD))
        out: Tensor = x_BTD + self.feed_forward(self.norm2(x_BTD))
        return out


class PreNormCrossLayer(nn.Module):
    """As `PreNormLayer`, with attention over a memory between its two parts."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.cross = Attention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.feed_forward = GeluForward(width, inner)

    def forward(self, x_BTD: Tensor, memory_BSD: Tensor) -> Tensor:
        """(B, T, D) and (B, S, D) -> (B, T, D)."""
        x_BTD = x_BTD + _attended(self.attention, self.norm1(x_BTD))
        read_BTD = self.cross(self.norm2(x_BTD), self.cross.keys(memory_BSD), None)
        x_BTD = x_BTD + read_BTD
        out: Tensor = x_BTD + self.feed_forward(self.norm3(x_BTD))
        return out


def _attended(attention: Attention, x_BTD: Tensor) -> Tensor:
    out: Tensor = attention(x_BTD, attention.keys(x_BTD), None)
    return out
