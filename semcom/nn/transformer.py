"""Transformer layers of text codecs, post-norm, with a key-value cache for decoding.

Shape legend: B sentences, T positions, S positions of a memory, D width, H heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.nn.attend import attend

Keys = tuple[Tensor, Tensor]  # keys and values, (B, H, S, D / H) each


class Attention(nn.Module):
    """Multi-head attention, eq. (17) and (18)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def keys(self, memory_BSD: Tensor) -> Keys:
        """Return the keys and values of the attention."""
        return self._split(self.key(memory_BSD)), self._split(self.value(memory_BSD))

    def forward(self, x_BTD: Tensor, keys: Keys, mask: Tensor | None) -> Tensor:
        """Attend from (B, T, D); `mask` is true where a position may be seen, (B, 1, T or 1, S).

        It may also be 0 there and minus infinity elsewhere.
        """
        query = self._split(self.query(x_BTD))
        attended = attend(query, *keys, mask)
        out: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return out

    def _split(self, x_BTD: Tensor) -> Tensor:
        sentences, positions, width = x_BTD.shape
        split = x_BTD.view(sentences, positions, self.heads, width // self.heads)
        return split.transpose(1, 2)


class FeedForward(nn.Module):
    """Linear, ReLU, Linear."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        out: Tensor = self.down(F.relu(self.up(x)))
        return out


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward network, each with a shortcut and a layer norm after it."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D); `mask` (B, 1, 1, T) is true at positions that exist."""
        attended = self.attention(x_BTD, self.attention.keys(x_BTD), mask)
        x_BTD = self.norm1(x_BTD + self.dropout(attended))
        out: Tensor = self.norm2(x_BTD + self.dropout(self.feed_forward(x_BTD)))
        return out


class DecoderLayer(nn.Module):
    """Causal self-attention, attention over a memory, feed-forward network, eq. (22)-(24)."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)
        self.norm3 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x_BTD: Tensor, seen: Keys, seen_mask: Tensor | None, memory: Keys, mask: Tensor
    ) -> Tensor:
        """(B, T, D) -> (B, T, D).

        Args:
            x_BTD: positions to be computed.
            seen: `attention.keys` of these positions, and of cached earlier ones.
            seen_mask: true where a position may see another; None if all may.
            memory: `cross.keys` of the received sequence.
            mask: true at received positions, (B, 1, 1, S).
        """
        x_BTD = self.norm1(x_BTD + self.dropout(self.attention(x_BTD, seen, seen_mask)))
        x_BTD = self.norm2(x_BTD + self.dropout(self.cross(x_BTD, memory, mask)))
        out: Tensor = self.norm3(x_BTD + self.dropout(self.feed_forward(x_BTD)))
        return out


class TokenEmbedding(nn.Module):
    """Token ids to vectors, scaled by sqrt(D), with sinusoidal positions added."""

    positions_TD: Tensor

    def __init__(self, tokens: int, width: int, longest: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.scale = math.sqrt(width)
        self.register_buffer("positions_TD", sinusoids(longest, width), persistent=False)

    def forward(self, tokens_BT: Tensor, first: int = 0) -> Tensor:
        """(B, T) int64 at positions `first`.. -> (B, T, D)."""
        places_TD = self.positions_TD[first : first + tokens_BT.shape[1]]
        out: Tensor = self.dropout(self.table(tokens_BT) * self.scale + places_TD)
        return out


def sinusoids(longest: int, width: int) -> Tensor:
    """Return the positions of Vaswani et al. (2017), (T, D): sines and cosines alternate."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(longest).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
