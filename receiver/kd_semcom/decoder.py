"""Channel decoder, semantic decoder and prediction layer of sentences, Table I of Liu et al.

Shape legend: B sentences, T positions, S received tokens, D width, R = 16 reals of a token,
V vocabulary, C sentences still being decoded.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.families.kd_semcom import KdSemcomArchitecture, channel_decoder_widths
from semcom.nn.transformer import DecoderLayer, Keys, TokenEmbedding
from semcom.vocabulary import END, PAD, START

ENDED = 0.2  # share of ended sentences at which they are removed from the batch


class TokenChannelDecoder(nn.Module):
    """p^: the 16 reals of a received token -> a vector, eq. (21)."""

    def __init__(self, architecture: KdSemcomArchitecture) -> None:
        super().__init__()
        widths, beside = channel_decoder_widths(architecture)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.beside = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(beside))
        if beside:
            self.norm = nn.LayerNorm(architecture.width)

    def forward(self, received_BSR: Tensor) -> Tensor:
        """(B, S, R) -> (B, S, D)."""
        a: Tensor = self.layers[0](received_BSR)
        for layer in self.layers[1:]:
            a = layer(F.relu(a))
        if not self.beside:
            return a
        b = a
        for layer in self.beside:
            b = layer(F.relu(b))
        out: Tensor = self.norm(a + b)
        return out


class SemanticDecoder(nn.Module):
    """t^: the tokens so far and the received vectors -> a vector per position, eq. (22)-(24)."""

    def __init__(self, architecture: KdSemcomArchitecture, dropout: float) -> None:
        super().__init__()
        width, heads, inner = architecture.width, architecture.heads, architecture.inner
        self.embedding = TokenEmbedding(
            architecture.vocabulary, width, architecture.tokens, dropout
        )
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, inner, dropout) for _ in range(architecture.layers)
        )

    @property
    def ordered(self) -> list[DecoderLayer]:
        """Its layers."""
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def forward(self, inputs_BT: Tensor, memory_BSD: Tensor, there_BS: Tensor) -> Tensor:
        """Tokens from START on, (B, T), all at once -> (B, T, D)."""
        positions = inputs_BT.shape[1]
        causal = torch.ones(positions, positions, dtype=torch.bool, device=inputs_BT.device).tril()
        x_BTD: Tensor = self.embedding(inputs_BT)
        mask = there_BS[:, None, None, :]
        for layer in self.ordered:
            seen, memory = layer.attention.keys(x_BTD), layer.cross.keys(memory_BSD)
            x_BTD = layer(x_BTD, seen, causal, memory, mask)
        return x_BTD


class KeyValueCache:
    """The keys and values of a decoder's layers for the positions so far."""

    def __init__(self, decoder: SemanticDecoder, memory_BSD: Tensor, there_BS: Tensor) -> None:
        self._decoder = decoder
        # Additive masks: attention would convert booleans at every step.
        nowhere = torch.zeros_like(there_BS, dtype=memory_BSD.dtype)
        self._mask = nowhere.masked_fill(~there_BS, float("-inf"))[:, None, None, :]
        self._memories: list[Keys] = [layer.cross.keys(memory_BSD) for layer in decoder.ordered]
        self._seen: list[Keys | None] = [None] * len(self._memories)
        self._position = 0

    def step(self, tokens_B: Tensor) -> Tensor:
        """Process the next token of every sentence -> t^ of its position (B, D)."""
        x_B1D: Tensor = self._decoder.embedding(tokens_B.unsqueeze(1), self._position)
        for at, layer in enumerate(self._decoder.ordered):
            keys: Keys = layer.attention.keys(x_B1D)
            before = self._seen[at]
            if before is not None:
                keys = (torch.cat([before[0], keys[0]], 2), torch.cat([before[1], keys[1]], 2))
            self._seen[at] = keys
            x_B1D = layer(x_B1D, keys, None, self._memories[at], self._mask)
        self._position += 1
        return x_B1D[:, 0]

    def keep(self, rows_C: Tensor) -> None:
        """Keep some of the sentences, by index."""
        self._mask = self._mask[rows_C]
        self._memories = [_rows(each, rows_C) for each in self._memories]
        self._seen = [None if each is None else _rows(each, rows_C) for each in self._seen]


def _rows(keys: Keys, rows_C: Tensor) -> Keys:
    return keys[0][rows_C], keys[1][rows_C]


def greedy(
    decoder: SemanticDecoder, head: nn.Module, memory_BSD: Tensor, there_BS: Tensor
) -> Tensor:
    """Decode token by token until END, or as many tokens as were received.

    Ended sentences are removed once they reach a share of the batch (`ENDED`), so the sentences
    that are decoded together depend only on those of the pass, as the answers do.

    Returns:
        Token ids float32 (B, S), PAD from END on; NaN in rows whose logits were not finite.
    """
    cache = KeyValueCache(decoder, memory_BSD, there_BS)
    lengths_C = there_BS.sum(dim=1)
    sentences, longest = there_BS.shape
    tokens_BS = torch.full((sentences, longest), float(PAD), device=memory_BSD.device)
    rows_C = torch.arange(sentences, device=memory_BSD.device)
    last_C = torch.full((sentences,), START, device=memory_BSD.device)
    open_C = torch.ones(sentences, dtype=torch.bool, device=memory_BSD.device)
    for at in range(longest):
        logits_CV = head(cache.step(last_C))
        last_C = logits_CV.argmax(dim=1)
        open_C = open_C & (last_C != END)
        # A sum is not finite if one of its terms is not.
        is_finite_C = logits_CV.sum(dim=1).isfinite()
        found_C = torch.where(is_finite_C, last_C.float(), float("nan"))
        tokens_BS[rows_C, at] = torch.where(open_C, found_C, float(PAD))
        open_C = open_C & (at + 1 < lengths_C)
        left = int(open_C.sum())
        if not left:
            break
        if left <= (1.0 - ENDED) * len(open_C):
            kept_C = open_C.nonzero()[:, 0]
            cache.keep(kept_C)
            rows_C, last_C, lengths_C = rows_C[kept_C], last_C[kept_C], lengths_C[kept_C]
            open_C = open_C[kept_C]
    return tokens_BS
