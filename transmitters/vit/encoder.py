"""The networks of the transmitting half of the family `vit`.

Shape legend: B images, S image size, P patches, T tokens (P, and a class token first where one is
sent), D width, N indices, I reals of a codeword of the codebook, R reals that are sent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.families.vit import CODEBOOK, INDEX_REALS, INDICES, VitArchitecture
from semcom.nn.pre_norm import PreNormLayer
from semcom.nn.square_qam import bytes_to_symbols
from semcom.nn.symbols import normalize_power, reals_to_symbols
from semcom.nn.transformer import sinusoids

START_STD = 0.02  # of positions and class token
CODEBOOK_STD = 0.5  # about that of the vectors that are compared with it


class PatchEncoder(nn.Module):
    """Patches -> tokens -> pre-norm layers -> norm.

    T-DeepSC puts a class token first and has sinusoidal positions, RTSC has learnt ones.
    """

    fixed_TD: Tensor

    def __init__(self, architecture: VitArchitecture) -> None:
        super().__init__()
        width, patch = architecture.width, architecture.patch
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.has_class_token = architecture.link != "tokens"
        if self.has_class_token:
            self.class_token = nn.Parameter(START_STD * torch.randn(width))
            fixed_TD = sinusoids(architecture.patches + 1, width)
            self.register_buffer("fixed_TD", fixed_TD, persistent=False)
        else:
            self.positions = nn.Parameter(START_STD * torch.randn(architecture.patches, width))
        self.layers = nn.ModuleList(
            PreNormLayer(width, architecture.heads, architecture.inner)
            for _ in range(architecture.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, images_B3SS: Tensor) -> Tensor:
        """Prepared images -> tokens (B, T, D)."""
        tokens = self.patches(images_B3SS).flatten(2).transpose(1, 2)
        if self.has_class_token:
            first = self.class_token.expand(len(tokens), 1, -1).to(tokens.dtype)
            tokens = torch.cat([first, tokens], dim=1) + self.fixed_TD
        else:
            tokens = tokens + self.positions
        for layer in self.layers:
            tokens = layer(tokens)
        out: Tensor = self.norm(tokens)
        return out


class TokenSender(nn.Module):
    """Linear layer before the channel, and the codebook where indices are sent."""

    def __init__(self, architecture: VitArchitecture) -> None:
        super().__init__()
        self._link = architecture.link
        self.linear = nn.Linear(architecture.width, architecture.sent_reals)
        if architecture.link == "indices":
            self.codebook = nn.Parameter(CODEBOOK_STD * torch.randn(CODEBOOK, INDEX_REALS))

    def vectors(self, tokens_BTD: Tensor) -> Tensor:
        """Class token -> the vectors that the codebook quantises, float32 (B, N, I)."""
        vectors: Tensor = self.linear(tokens_BTD[:, 0]).float()
        return vectors.view(-1, INDICES, INDEX_REALS)

    def indices(self, vectors_BNI: Tensor) -> Tensor:
        """Nearest codewords of the codebook: (B, N, I) -> int64 (B, N)."""
        return torch.cdist(vectors_BNI, self.codebook.float()).argmin(dim=2)

    def reals(self, tokens_BTD: Tensor) -> Tensor:
        """Return the reals that are sent without a codebook, (B, R), before their power is set."""
        sent = tokens_BTD if self._link == "tokens" else tokens_BTD[:, :1]
        reals: Tensor = self.linear(sent).float()
        return reals.flatten(1)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        """Tokens -> codewords of unit power, complex64 (B, K)."""
        if self._link == "indices":
            return bytes_to_symbols(self.indices(self.vectors(tokens_BTD)))
        return reals_to_symbols(normalize_power(self.reals(tokens_BTD)))
