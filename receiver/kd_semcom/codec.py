"""The receiving half of a codec for sentences: noisy symbols -> token ids.

    z~ (N, K), CSI (N, M) -> equalize -> 16 reals per token -> TokenChannelDecoder -> p^
                          -> SemanticDecoder, token by token -> t^ -> Linear -> s^ -> token ids

Shape legend: N sentences of a frame, K complex symbols, M columns of channel state, S tokens.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from receiver.equalizer import equalize_arrays
from receiver.kd_semcom.decoder import SemanticDecoder, TokenChannelDecoder, greedy
from receiver.torch_half import make_ready
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.kd_semcom import (
    REALS_PER_TOKEN,
    SYMBOLS_PER_TOKEN,
    KdSemcomArchitecture,
    read_arrays,
)
from semcom.points import EqualizerMethod
from semcom.settings import Engine


class SentenceReceiver:
    """Channel decoder, semantic decoder and prediction layer of one link."""

    def __init__(
        self, architecture: KdSemcomArchitecture, device: str = "cpu", dropout: float = 0.0
    ) -> None:
        self.architecture = architecture
        self.device = torch.device(device)
        self.decoder = TokenChannelDecoder(architecture)
        self.semantic_decoder = SemanticDecoder(architecture, dropout)
        self.head = nn.Linear(architecture.width, architecture.vocabulary)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        parts = {"decoder": self.decoder, "semantic_decoder": self.semantic_decoder}
        return {**parts, "head": self.head}

    def decode(
        self,
        received_NK: npt.NDArray[np.complex64],
        csi_NM: npt.NDArray[np.complex64] | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        used_N: npt.NDArray[np.uint16] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: complex64 (N, K) -> token ids float32 (N, tokens), then PAD.

        `used_N`: number of symbols sent for each codeword, as a preamble would state; None: all.
        """
        tokens = self.architecture.tokens
        if used_N is None:
            used_N = np.full(len(received_NK), self.architecture.symbols, np.uint16)
        with torch.inference_mode():
            snr_db = torch.from_numpy(snr_db_N).to(self.device)
            equalized = equalize_arrays(received_NK, csi_NM, snr_db_N=snr_db, method=equalizer)
            # A sentence has at least one token, whatever was received.
            lengths_N = torch.from_numpy(used_N.astype(np.int64) // SYMBOLS_PER_TOKEN).clamp_min(1)
            there_NS = token_mask(lengths_N.to(self.device))
            memory = self.decoder(token_reals(equalized)[:, : there_NS.shape[1]])
            ids_NS = greedy(self.semantic_decoder, self.head, memory, there_NS)
            ids = F.pad(ids_NS, (0, tokens - ids_NS.shape[1]))
        decoded: npt.NDArray[np.float32] = ids.cpu().numpy()
        return decoded


def token_reals(symbols_BK: Tensor) -> Tensor:
    """(B, 8 S) complex64 -> (B, S, 16) float32."""
    reals = torch.view_as_real(symbols_BK.contiguous())
    return reals.reshape(len(reals), -1, REALS_PER_TOKEN)


def token_mask(lengths_B: Tensor) -> Tensor:
    """Tokens of each sentence (B,) -> mask of existing positions up to the longest, bool (B, S)."""
    positions = torch.arange(int(lengths_B.max()), device=lengths_B.device)
    return positions < lengths_B.unsqueeze(1)


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> SentenceReceiver:
    """Load the receiving half, ready for use on `device`; it uses the process's threads.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del threads, engine  # it is torch: see the family
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = KdSemcomArchitecture.model_validate(manifest.architecture)
    codec = SentenceReceiver(architecture, device)
    content = checkpoint.read_half("receiver")
    make_ready(codec, checkpoint, read_arrays(architecture, "receiver", content))
    return codec
