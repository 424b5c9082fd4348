"""The receiving half of a codec of the family `vit`: noisy symbols -> logits.

    z~ (N, K), CSI (N, M) -> equalize -> decoder -> feature (N, D) -> head -> logits (N, T)

Shape legend: N images of a frame, K complex symbols, M columns of channel state, T classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from receiver.equalizer import equalize_arrays
from receiver.heads import ClassificationHead
from receiver.torch_half import make_ready
from receiver.vit.decoder import make_decoder
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.vit import VitArchitecture, read_arrays
from semcom.points import EqualizerMethod
from semcom.settings import Engine

Symbols = npt.NDArray[np.complex64]


class VitReceiver:
    """Decoder and task head of one link."""

    def __init__(self, architecture: VitArchitecture, device: str = "cpu") -> None:
        self.architecture = architecture
        self.device = torch.device(device)
        self.decoder = make_decoder(architecture)
        self.head = ClassificationHead(
            feature_dim=architecture.receiver_width, classes=architecture.classes
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The parts under the names that a checkpoint gives them."""
        return {"decoder": self.decoder, "head": self.head}

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: received complex64 (N, K) -> logits float32 (N, T)."""
        with torch.inference_mode():
            snr_db = torch.from_numpy(snr_db_N).to(self.device)
            equalized = equalize_arrays(received_NK, csi_NM, snr_db_N=snr_db, method=equalizer)
            logits_NT: Tensor = self.head(self.decoder(equalized))
        logits: npt.NDArray[np.float32] = logits_NT.cpu().numpy()
        return logits


def load_receiver(checkpoint: Checkpoint, engine: Engine, device: str, threads: int) -> VitReceiver:
    """Load the receiving half, ready for service on `device`; threads are those of the process.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del threads, engine  # it is torch: see the family
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = VitArchitecture.model_validate(manifest.architecture)
    codec = VitReceiver(architecture, device)
    content = checkpoint.read_half("receiver")
    make_ready(codec, checkpoint, read_arrays(architecture, "receiver", content))
    return codec
