"""The networks of the receiving half of the family `vit`.

Shape legend: B images, T tokens, Q queries, D width, N indices, I reals of a codeword of the
codebook, K complex symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.families.vit import (
    CODEBOOK,
    INDEX_REALS,
    INDICES,
    QUERIES,
    TOKEN_REALS,
    VitArchitecture,
)
from semcom.nn.pre_norm import PreNormCrossLayer, PreNormLayer
from semcom.nn.square_qam import symbols_to_bytes
from semcom.nn.symbols import symbols_to_reals
from semcom.nn.transformer import sinusoids

START_STD = 0.02


class QueryDecoder(nn.Module):
    """T-DeepSC: learnt queries read what was received; their mean is the feature.

    Each of the N codewords that indices name is a token with a sinusoidal position; without a
    codebook the received reals are the only token.
    """

    fixed_ND: Tensor

    def __init__(self, architecture: VitArchitecture) -> None:
        super().__init__()
        width = architecture.receiver_width
        self.has_codebook = architecture.link == "indices"
        if self.has_codebook:
            self.codebook = nn.Parameter(torch.randn(CODEBOOK, INDEX_REALS))
            self.register_buffer("fixed_ND", sinusoids(INDICES, width), persistent=False)
        self.widen = nn.Linear(INDEX_REALS, width)
        self.queries = nn.Parameter(START_STD * torch.randn(QUERIES, width))
        self.layers = nn.ModuleList(
            PreNormCrossLayer(width, architecture.receiver_heads, architecture.receiver_inner)
            for _ in range(architecture.receiver_layers)
        )

    def codewords(self, symbols_BK: Tensor) -> Tensor:
        """Received symbols -> what they stand for, (B, N, I), or (B, 1, I) without a codebook."""
        if self.has_codebook:
            return self.codebook[symbols_to_bytes(symbols_BK)]
        return symbols_to_reals(symbols_BK, INDEX_REALS).unsqueeze(1)

    def read(self, codewords_BNI: Tensor) -> Tensor:
        """Codewords -> feature (B, D)."""
        memory = self.widen(codewords_BNI)
        if self.has_codebook:
            memory = memory + self.fixed_ND
        queries = self.queries.expand(len(memory), -1, -1)
        for layer in self.layers:
            queries = layer(queries, memory)
        feature: Tensor = queries.mean(dim=1)
        return feature

    def forward(self, symbols_BK: Tensor) -> Tensor:
        """Equalised symbols complex64 (B, K) -> feature (B, D)."""
        return self.read(self.codewords(symbols_BK))


class TokenDecoder(nn.Module):
    """RTSC: the received reals of each token are a token; the mean of all is the feature."""

    def __init__(self, architecture: VitArchitecture) -> None:
        super().__init__()
        width = architecture.receiver_width
        self._reals = architecture.patches * TOKEN_REALS
        self.widen = nn.Linear(TOKEN_REALS, width)
        self.layers = nn.ModuleList(
            PreNormLayer(width, architecture.receiver_heads, architecture.receiver_inner)
            for _ in range(architecture.receiver_layers)
        )

    def forward(self, symbols_BK: Tensor) -> Tensor:
        """Equalised symbols complex64 (B, K) -> feature (B, D)."""
        reals_BR = symbols_to_reals(symbols_BK, self._reals)
        tokens = self.widen(reals_BR.reshape(len(reals_BR), -1, TOKEN_REALS))
        for layer in self.layers:
            tokens = layer(tokens)
        feature: Tensor = tokens.mean(dim=1)
        return feature


def make_decoder(architecture: VitArchitecture) -> QueryDecoder | TokenDecoder:
    """Return the decoder of an architecture."""
    made = TokenDecoder if architecture.link == "tokens" else QueryDecoder
    return made(architecture)
