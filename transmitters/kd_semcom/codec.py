"""The transmitting half of a codec for sentences: words -> complex symbols.

    words uint16 (N, L) -> tokens with END -> SentenceEncoder -> p -> TokenChannelEncoder -> x
                        -> unit power over the tokens' symbols -> z (N, K) complex64

Shape legend: N sentences of a frame, L words, K complex symbols of a codeword.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.kd_semcom import SYMBOLS_PER_TOKEN, KdSemcomArchitecture, read_arrays
from semcom.nn.weights import load_arrays
from semcom.probe import SEED, SNR_DB, probe_encoder
from semcom.settings import Engine
from semcom.vocabulary import END, FIRST_WORD, PAD
from transmitters.kd_semcom.encoder import (
    SentenceEncoder,
    TokenChannelEncoder,
    codewords,
    with_end,
)
from transmitters.sentence_words import check_words, words_of_each

PROBED = 4  # sentences


class SentenceTransmitter:
    """Semantic encoder and channel encoder of one link."""

    def __init__(self, architecture: KdSemcomArchitecture, dropout: float = 0.0) -> None:
        self.architecture = architecture
        self.encoder = SentenceEncoder(architecture, dropout)
        self.channel_encoder = TokenChannelEncoder(architecture)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        return {"encoder": self.encoder, "channel_encoder": self.channel_encoder}

    def forward(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens with END -> p (B, T, D) and x (B, T, R), before the power is normalised."""
        p_BTD = self.encoder(tokens_BT)
        return p_BTD, self.channel_encoder(p_BTD)

    def used_symbols(self, items: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Return how many symbols of each codeword are sent: words uint16 (N, L) -> uint16 (N,).

        Raises:
            CheckpointError: a sentence is longer than the codec takes.
        """
        tokens_N = words_of_each(items, longest=self.architecture.tokens - 1) + 1
        used: npt.NDArray[np.uint16] = (SYMBOLS_PER_TOKEN * tokens_N).astype(np.uint16)
        return used

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> npt.NDArray[np.complex64]:
        """Encode one frame: words uint16 (N, L) -> complex64 (N, K), 0 after the used symbols.

        Raises:
            CheckpointError: the codec does not accept these words.
        """
        del snr_db
        check_words(items, vocabulary=self.architecture.vocabulary)
        tokens_N = self.used_symbols(items) // SYMBOLS_PER_TOKEN
        with torch.inference_mode():
            words_NL = torch.from_numpy(items.astype(np.int64))
            tokens_NT = with_end(words_NL, torch.from_numpy(tokens_N.astype(np.int64) - 1), END)
            symbols = codewords(self.forward(tokens_NT)[1], tokens_NT)
            symbols_NK = F.pad(symbols, (0, self.architecture.symbols - symbols.shape[1]))
        encoded: npt.NDArray[np.complex64] = symbols_NK.numpy()
        return encoded


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> SentenceTransmitter:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del engine  # it is torch: see the family
    torch.set_num_threads(threads)
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = KdSemcomArchitecture.model_validate(manifest.architecture)
    codec = SentenceTransmitter(architecture)
    content = checkpoint.read_half("transmitter")
    load_arrays(codec.modules, read_arrays(architecture, "transmitter", content))
    for module in codec.modules.values():
        module.eval().requires_grad_(False)
    sentences_NL = _probed_sentences(architecture)
    probe_encoder(
        checkpoint,
        lambda: codec.encode(sentences_NL, snr_db=SNR_DB),
        filled_N=codec.used_symbols(sentences_NL) / architecture.symbols,
    )
    return codec


def _probed_sentences(architecture: KdSemcomArchitecture) -> npt.NDArray[np.uint16]:
    """Return sentences of random words, of all lengths up to the longest."""
    longest = architecture.tokens - 1
    words = np.random.default_rng(SEED).integers(
        FIRST_WORD, architecture.vocabulary, (PROBED, longest), np.uint16
    )
    lengths_N = np.linspace(longest, 1, PROBED).astype(int)
    words[np.arange(longest) >= lengths_N[:, None]] = PAD
    return words
