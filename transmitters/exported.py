"""The transmitting half of the family `torch-export`.

    images uint8 (N, H, W, C) -> float32 (N, C, H, W) of 0..1 [, SNR (N,)] -> program
                              -> reals (N, 2 K) -> z (N, K) complex64

Shape legend: N items of a frame, K complex symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError
from semcom.families.exported import ExportedArchitecture
from semcom.nn.programs import load_program
from semcom.probe import SNR_DB, probe_transmitter
from semcom.settings import Engine


class ExportedTransmitter:
    """Any module that maps images to symbols."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        manifest = checkpoint.manifest
        assert isinstance(manifest, FamilyManifest)
        self.architecture = ExportedArchitecture.model_validate(manifest.architecture)
        self._takes_snr = manifest.needs_snr
        self._program = load_program(checkpoint.read_half("transmitter"), torch.device("cpu"))

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> npt.NDArray[np.complex64]:
        """Encode one frame: images uint8 (N, H, W, C) -> complex64 (N, K).

        Raises:
            CheckpointError: the program does not accept images of this size.
        """
        if items.shape[1:] != self.architecture.item:
            given, taken = (" x ".join(map(str, each)) for each in (items.shape[1:], self.item))
            raise CheckpointError(f"the codec takes images of {taken}, not {given}")
        with torch.inference_mode():
            images = torch.from_numpy(np.array(items)).permute(0, 3, 1, 2).float() / 255.0
            snr = (torch.full((len(images),), snr_db),) if self._takes_snr else ()
            reals_N2K = self._program(images.contiguous(), *snr)
        reals: npt.NDArray[np.float32] = np.ascontiguousarray(reals_N2K.float().numpy())
        return reals.view(np.complex64)

    @property
    def item(self) -> tuple[int, int, int]:
        """Height, width and channels of its input."""
        return self.architecture.item


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> ExportedTransmitter:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: its program is damaged, contains code, or gives invalid outputs.
    """
    del engine  # it is torch: see the family
    torch.set_num_threads(threads)
    codec = ExportedTransmitter(checkpoint)
    probe_transmitter(
        checkpoint, lambda images: codec.encode(images, snr_db=SNR_DB), image=codec.item
    )
    return codec
