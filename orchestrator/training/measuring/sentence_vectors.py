"""Vectors of sentences by MiniLM (all-MiniLM-L6-v2): similar meaning, small angle.

A BERT of six layers of width 384; a sentence's vector is the mean of the outputs of its tokens.

Shape legend: N sentences, L tokens, D features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from semcom.extras import needed_by

LAYERS, WIDTH, HEADS, INNER, EPSILON = 6, 384, 12, 1536, 1e-12
MOST_TOKENS, BATCH = 256, 64
Values = npt.NDArray[np.float64]


class MiniLm(nn.Module):
    """Token embeddings and a stack of layers, each normalised after its residual sum."""

    def __init__(
        self, words: int, *, layers: int = LAYERS, width: int = WIDTH, inner: int = INNER
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(2 * MOST_TOKENS, width)
        self.kind = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, HEADS, inner, 0.0, "gelu", layer_norm_eps=EPSILON, batch_first=True
            )
            for _ in range(layers)
        )

    def forward(self, tokens_NL: torch.Tensor, there_NL: torch.Tensor) -> torch.Tensor:
        """Return the vector of each sentence (N, D), of unit length."""
        positions_L = torch.arange(tokens_NL.shape[1])
        x_NLD = self.norm(self.words(tokens_NL) + self.positions(positions_L) + self.kind)
        for layer in self.layers:
            x_NLD = layer(x_NLD, src_key_padding_mask=~there_NL)
        share_NL = there_NL.float() / there_NL.sum(1, keepdim=True)
        return F.normalize(torch.einsum("nld,nl->nd", x_NLD, share_NL), dim=1)


def minilm_of(state: Mapping[str, torch.Tensor]) -> MiniLm:
    """Return the network with weights that have BERT's names."""
    words, width = state["embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(n.split(".")[2]) for n in state if n.startswith("encoder.layer."))
    inner = len(state["encoder.layer.0.intermediate.dense.bias"])
    network = MiniLm(words, layers=layers, width=width, inner=inner)
    found = {
        "words.weight": state["embeddings.word_embeddings.weight"],
        "positions.weight": state["embeddings.position_embeddings.weight"],
        "kind": state["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": state["embeddings.LayerNorm.weight"],
        "norm.bias": state["embeddings.LayerNorm.bias"],
    }
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm",
        "norm2": "output.LayerNorm",
    }
    for number in range(layers):
        ours, theirs = f"layers.{number}", f"encoder.layer.{number}"
        for end in ("weight", "bias"):
            parts = [state[f"{theirs}.attention.self.{p}.{end}"] for p in ("query", "key", "value")]
            found[f"{ours}.self_attn.in_proj_{end}"] = torch.cat(parts)
            for name, other in names.items():
                found[f"{ours}.{name}.{end}"] = state[f"{theirs}.{other}.{end}"]
    network.load_state_dict(found)
    return network.eval()


class SentenceVectors:
    """MiniLM with its tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Load both from a folder.

        Raises:
            ConfigurationError: the package of the tokenizer is not installed.
        """
        with needed_by("semcom measure similarity", "similarity"):
            from tokenizers import Tokenizer  # only sentences need it

        self._network = minilm_of(load_file(folder / "model.safetensors"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.no_padding()

    @torch.inference_mode()
    def of(self, sentences: Sequence[str]) -> Values:
        """Return the vector of each sentence, float64 (N, D) of unit length."""
        rows = [each.ids for each in self._tokenizer.encode_batch(list(sentences))]
        # Sentences of similar length together, so that there is little padding.
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        found: dict[int, npt.NDArray[np.float32]] = {}
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            ids = [torch.tensor(rows[row]) for row in batch]
            tokens_NL = nn.utils.rnn.pad_sequence(ids, batch_first=True)
            lengths_N = torch.tensor([len(each) for each in ids])
            there_NL = torch.arange(tokens_NL.shape[1]) < lengths_N[:, None]
            found.update(zip(batch, self._network(tokens_NL, there_NL).numpy(), strict=True))
        return np.stack([found[row] for row in range(len(rows))]).astype(np.float64)


def cosines(one_ND: Values, other_ND: Values) -> Values:
    """Return the cosine of each pair of unit vectors, float64 (N,)."""
    found: Values = np.einsum("nd,nd->n", one_ND, other_ND)
    return found.clip(-1.0, 1.0)
