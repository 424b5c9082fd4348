"""Semantic encoder and channel encoder of sentences, Table I of Liu et al.

Shape legend: B sentences, T tokens, D width, R = 16 reals of a token.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.families.kd_semcom import (
    REALS_PER_TOKEN,
    KdSemcomArchitecture,
    channel_encoder_widths,
)
from semcom.nn.symbols import normalize_power, reals_to_symbols
from semcom.nn.transformer import EncoderLayer, TokenEmbedding
from semcom.vocabulary import PAD


class SentenceEncoder(nn.Module):
    """p: token ids -> a vector per token, eq. (17)-(18)."""

    def __init__(self, architecture: KdSemcomArchitecture, dropout: float) -> None:
        super().__init__()
        width, heads, inner = architecture.width, architecture.heads, architecture.inner
        self.embedding = TokenEmbedding(
            architecture.vocabulary, width, architecture.tokens, dropout
        )
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, inner, dropout) for _ in range(architecture.layers)
        )

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) int64, padded with PAD -> (B, T, D)."""
        there = (tokens_BT != PAD)[:, None, None, :]
        x_BTD: Tensor = self.embedding(tokens_BT)
        for layer in self.layers:
            x_BTD = layer(x_BTD, there)
        return x_BTD


class TokenChannelEncoder(nn.Module):
    """x: a vector per token -> its 16 reals, before the power is normalised, eq. (20)."""

    def __init__(self, architecture: KdSemcomArchitecture) -> None:
        super().__init__()
        widths = channel_encoder_widths(architecture)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, p_BTD: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, R)."""
        x: Tensor = self.layers[0](p_BTD)
        for layer in self.layers[1:]:
            x = layer(F.relu(x))
        return x


def codewords(x_BTR: Tensor, tokens_BT: Tensor) -> Tensor:
    """Return symbols (B, 8 T) complex64: mean power 1 over a sentence's tokens, 0 after them."""
    there_BT = tokens_BT != PAD
    reals = (x_BTR.float() * there_BT.unsqueeze(2)).flatten(1)
    return reals_to_symbols(normalize_power(reals, REALS_PER_TOKEN * there_BT.sum(dim=1)))


def with_end(tokens_NL: Tensor, lengths_N: Tensor, end: int) -> Tensor:
    """Return sentences of words with END after the last one, int64 (N, longest + 1)."""
    width = int(lengths_N.max()) + 1
    tokens_NT = F.pad(tokens_NL.long(), (0, 1))[:, :width].contiguous()
    tokens_NT[torch.arange(len(tokens_NT)), lengths_N] = end
    return tokens_NT
