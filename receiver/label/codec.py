"""The receiving half of the family `label`: maximum likelihood detection of the class.

    ln p(z~ | m) + const = (2 Re sum_k conj(h_k c_mk) z~_k - sum_k |h_k c_mk|^2) / N0

Computed with numpy in float64 for any engine, without an equaliser, which would discard
information. Shape legend: N images of a frame, M classes (of `csi_NM`: columns of channel state), K
complex symbols.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from receiver.numpy_equalizer import effective_csi
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.label import CODE, LabelArchitecture, read_arrays
from semcom.points import EqualizerMethod
from semcom.probe import probe_receiver
from semcom.settings import Engine

Symbols = npt.NDArray[np.complex64]


class LabelReceiver:
    """Detects the class from the received codeword."""

    def __init__(self, reals_MR: npt.NDArray[np.generic]) -> None:
        codewords = np.ascontiguousarray(reals_MR, dtype=np.float64)
        self._conjugate_KM = codewords.view(np.complex128).conj().T
        self._power_KM = np.square(np.abs(self._conjugate_KM))

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: complex64 (N, K) -> log-likelihoods float32 (N, classes)."""
        del equalizer
        symbols = received_NK.shape[1]
        gains = np.ones((len(received_NK), 1), np.complex64) if csi_NM is None else csi_NM
        if gains.shape[1] not in (1, symbols):
            gains = effective_csi(gains)
        gains_NK = np.broadcast_to(gains.astype(np.complex128), received_NK.shape)
        matched_NM = ((received_NK * gains_NK.conj()) @ self._conjugate_KM).real
        energy_NM = np.square(np.abs(gains_NK)) @ self._power_KM
        per_noise_N1 = 10.0 ** (snr_db_N.astype(np.float64)[:, None] / 10.0)
        likelihoods: npt.NDArray[np.float32] = (
            (2.0 * matched_NM - energy_NM) * per_noise_N1
        ).astype(np.float32)
        return likelihoods


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> LabelReceiver:
    """Load the receiving half, ready for use; it computes with numpy.

    Raises:
        CheckpointError: the code is damaged or does not fit.
    """
    del engine, device, threads
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = LabelArchitecture.model_validate(manifest.architecture)
    arrays = read_arrays(architecture, "receiver", checkpoint.read_half("receiver"))
    codec = LabelReceiver(arrays[CODE])
    probe_receiver(
        checkpoint,
        lambda symbols, snr_db: codec.decode(
            symbols, None, snr_db_N=snr_db, equalizer="zero_forcing"
        ),
    )
    return codec
