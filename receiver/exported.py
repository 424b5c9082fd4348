"""The receiving half of the family `torch-export`.

    z~ (N, K), CSI (N, M) -> equalize -> reals (N, 2 K) [, SNR (N,)] -> program -> outputs

Shape legend: N items of a frame, K complex symbols, M columns of channel state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from receiver.equalizer import equalize_arrays
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.exported import ExportedArchitecture
from semcom.nn.programs import load_program
from semcom.points import EqualizerMethod
from semcom.probe import probe_receiver
from semcom.settings import Engine


class ExportedReceiver:
    """Any module that maps equalised symbols to logits or images."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        manifest = checkpoint.manifest
        assert isinstance(manifest, FamilyManifest)
        architecture = ExportedArchitecture.model_validate(manifest.architecture)
        self._device = torch.device(device)
        self._takes_snr = architecture.receiver_snr
        self._images = manifest.task.kind == "reconstruction"
        self._program = load_program(checkpoint.read_half("receiver"), self._device)

    def decode(
        self,
        received_NK: npt.NDArray[np.complex64],
        csi_NM: npt.NDArray[np.complex64] | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: complex64 (N, K) -> logits (N, T), or images (N, H, W, C)."""
        with torch.inference_mode():
            snr_db = torch.from_numpy(snr_db_N).to(self._device)
            equalized = equalize_arrays(received_NK, csi_NM, snr_db_N=snr_db, method=equalizer)
            reals = torch.view_as_real(equalized.contiguous()).flatten(1)
            outputs = self._program(reals, snr_db) if self._takes_snr else self._program(reals)
            if self._images:
                outputs = outputs.permute(0, 2, 3, 1)
        decoded: npt.NDArray[np.float32] = outputs.float().cpu().numpy()
        return decoded


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> ExportedReceiver:
    """Load the receiving half, ready for use on `device`; it uses the process's threads.

    Raises:
        CheckpointError: its program is damaged, contains code, or gives invalid outputs.
    """
    del threads, engine  # it is torch: see the family
    codec = ExportedReceiver(checkpoint, device)
    probe_receiver(
        checkpoint,
        lambda symbols, snr_db: codec.decode(
            symbols, None, snr_db_N=snr_db, equalizer="zero_forcing"
        ),
    )
    return codec
