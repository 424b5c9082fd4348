"""The receiving half of a codec: noisy symbols -> recovered feature -> the task's answer.

    z~ (N, K), CSI (N, M) -> equalize -> ChannelDecoder(SNR) -> h~ (N, D) -> head -> logits (N, T)

Shape legend: N images of a frame, K complex symbols, M columns of channel state, D feature width,
T classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from receiver.channel_decoder import make_channel_decoder
from receiver.equalizer import equalize_arrays
from receiver.heads import ClassificationHead
from receiver.torch_half import make_ready
from semcom.architecture import CodecArchitecture
from semcom.checkpoints import Checkpoint
from semcom.points import EqualizerMethod
from semcom.used_symbols import Used


class ReceiverCodec:
    """Channel decoder and task head of one link."""

    def __init__(self, architecture: CodecArchitecture, device: str = "cpu") -> None:
        self.architecture = architecture
        self.device = torch.device(device)
        self.decoder = make_channel_decoder(architecture.channel)
        self.head = ClassificationHead(
            feature_dim=architecture.channel.feature_dim, classes=architecture.classes
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        return {"decoder": self.decoder, "head": self.head}

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str = "cpu") -> ReceiverCodec:
        """Build and load from a checkpoint, ready for use on `device`.

        Raises:
            CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        """
        arrays = checkpoint.read_weights(
            "receiver"
        )  # first, so that nothing is built for missing arrays
        codec = cls(checkpoint.architecture, device)
        make_ready(codec, checkpoint, arrays)
        return codec

    def forward(
        self, equalized_NK: Tensor, snr_db_N: Tensor, used_N: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Equalised symbols -> recovered features h~ (N, D) and logits (N, T).

        `used_N`: number of received symbols of an ordered codeword.
        """
        features_ND: Tensor = self.decoder(equalized_NK, snr_db_N, used_N)
        logits_NT: Tensor = self.head(features_ND)
        return features_ND, logits_NT

    def decode(
        self,
        received_NK: npt.NDArray[np.complex64],
        csi_NM: npt.NDArray[np.complex64] | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        used_N: Used | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: received complex64 (N, K) -> logits float32 (N, T).

        `used_N`: number of symbols sent for each codeword, with a codec of several lengths; None:
        all.
        """
        with torch.inference_mode():
            snr_db = torch.from_numpy(snr_db_N).to(self.device)
            equalized = equalize_arrays(received_NK, csi_NM, snr_db_N=snr_db, method=equalizer)
            used = None
            if used_N is not None:
                used = torch.from_numpy(used_N.astype(np.int64)).to(self.device)
            _, logits_NT = self.forward(equalized, snr_db, used)
        logits: npt.NDArray[np.float32] = logits_NT.cpu().numpy()
        return logits
