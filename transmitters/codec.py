"""The transmitting half of a codec: pixels -> semantic feature -> complex symbols.

    images uint8 (N, H, W, 3) -> prepare -> SemanticEncoder -> h (N, D)
                              -> ChannelEncoder -> z (N, K) complex64, mean |z|^2 = 1

Shape legend: N images of a frame, D feature width, K complex symbols.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from semcom.architecture import (
    AnyEncoderArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    TimmEncoderArchitecture,
)
from semcom.checkpoints import Checkpoint
from semcom.extras import needed_by
from semcom.nn.image_input import prepare_images
from semcom.nn.weights import load_arrays
from semcom.probe import SNR_DB, probe_transmitter
from transmitters.channel_encoder import make_channel_encoder
from transmitters.conv_encoder import ConvEncoder
from transmitters.encoder import SemanticEncoder


class TransmitterCodec:
    """Semantic encoder and channel encoder of one link."""

    def __init__(self, architecture: CodecArchitecture) -> None:
        self.architecture = architecture
        self.encoder = make_encoder(architecture.encoder)
        self.channel_encoder = make_channel_encoder(architecture.channel)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        return {"encoder": self.encoder, "channel_encoder": self.channel_encoder}

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> TransmitterCodec:
        """Build and load from a checkpoint, ready for use.

        Raises:
            CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        """
        arrays = checkpoint.read_weights(
            "transmitter"
        )  # first, so that nothing is built for missing arrays
        codec = cls(checkpoint.architecture)
        load_arrays(codec.modules, arrays)
        for module in codec.modules.values():
            module.eval().requires_grad_(False)
            module.to(memory_format=torch.channels_last)
        probe_transmitter(
            checkpoint,
            lambda images: codec.encode(images, snr_db=SNR_DB),
            image=codec.architecture.image,
            filled=codec.architecture.channel.filled,
        )
        return codec

    def forward(self, images_N3HW: Tensor, snr_db_N: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Prepared images -> features h (N, D) and symbols z (N, K)."""
        features_ND: Tensor = self.encoder(images_N3HW)
        symbols_NK: Tensor = self.channel_encoder(features_ND, snr_db_N)
        return features_ND, symbols_NK

    def encode(
        self, images_NHW3: npt.NDArray[np.uint8], *, snr_db: float
    ) -> npt.NDArray[np.complex64]:
        """Encode one frame: uint8 (N, H, W, 3) -> complex64 (N, K).

        `snr_db` reaches the network only if the codec has `tx_csi`.
        """
        with torch.inference_mode():
            images = torch.from_numpy(np.array(images_NHW3))
            prepared = prepare_images(images, self.architecture.encoder.input)
            _, symbols_NK = self.forward(prepared, torch.full((len(images),), snr_db))
        encoded: npt.NDArray[np.complex64] = symbols_NK.numpy()
        return encoded


def make_encoder(architecture: AnyEncoderArchitecture) -> nn.Module:
    """Return the encoder of the kind that the architecture names.

    Raises:
        ConfigurationError: timm does not know the model, or is not installed.
    """
    match architecture:
        case EncoderArchitecture():
            return SemanticEncoder(architecture)
        case ConvEncoderArchitecture():
            return ConvEncoder(architecture)
        case TimmEncoderArchitecture():
            with needed_by(f"encoder '{architecture.model}'", "training"):
                from transmitters.timm_encoder import make_timm_encoder  # noqa: PLC0415 - few need it
            return make_timm_encoder(architecture)
