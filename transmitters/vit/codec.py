"""The transmitting half of a codec of the family `vit`: images -> complex symbols.

    images uint8 (N, H, W, 3) -> prepared -> PatchEncoder -> tokens -> TokenSender -> z (N, K)

Shape legend: N images of a frame, K complex symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.vit import VitArchitecture, read_arrays
from semcom.nn.image_input import prepare_images
from semcom.nn.weights import load_arrays
from semcom.probe import SNR_DB, probe_transmitter
from semcom.settings import Engine
from transmitters.vit.encoder import PatchEncoder, TokenSender


class VitTransmitter:
    """Encoder and what sends its tokens, of one link."""

    def __init__(self, architecture: VitArchitecture) -> None:
        self.architecture = architecture
        self.encoder = PatchEncoder(architecture)
        self.channel_encoder = TokenSender(architecture)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The parts under the names that a checkpoint gives them."""
        return {"encoder": self.encoder, "channel_encoder": self.channel_encoder}

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> npt.NDArray[np.complex64]:
        """Encode one frame: images uint8 (N, H, W, 3) -> complex64 (N, K); the SNR is not used."""
        del snr_db
        with torch.inference_mode():
            images = prepare_images(torch.from_numpy(np.array(items)), self.architecture.input)
            symbols_NK = self.channel_encoder(self.encoder(images))
        symbols: npt.NDArray[np.complex64] = symbols_NK.numpy()
        return symbols


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> VitTransmitter:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del engine  # it is torch: see the family
    torch.set_num_threads(threads)
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = VitArchitecture.model_validate(manifest.architecture)
    codec = VitTransmitter(architecture)
    content = checkpoint.read_half("transmitter")
    load_arrays(codec.modules, read_arrays(architecture, "transmitter", content))
    for module in codec.modules.values():
        module.eval().requires_grad_(False)
    side = architecture.input.size
    probe_transmitter(
        checkpoint,
        lambda images: codec.encode(images, snr_db=SNR_DB),
        image=(side, side, 3),
    )
    return codec
