"""The transmitting half of the family `label`, on either engine.

    images uint8 (N, H, W, 3) -> the source's codeword (N, c) -> Classifier -> class -> z (N, K)

Shape legend: N images of a frame, c reals of the source's codeword, K complex symbols, T classes.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import Arrays
from semcom.codec_manifest import FamilyManifest
from semcom.families.label import CODE, LabelArchitecture, read_arrays
from semcom.probe import SNR_DB, probe_transmitter
from semcom.settings import Engine

Symbols = npt.NDArray[np.complex64]


class Classifies(Protocol):
    """Images uint8 (N, H, W, 3) -> logits (N, T)."""

    def logits(self, images_NHW3: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Classify one frame in one forward pass."""
        ...


class LabelTransmitter:
    """Sends the codeword of the class given by its classifier."""

    def __init__(self, classifier: Classifies, reals_MR: npt.NDArray[np.generic]) -> None:
        self._classifier = classifier
        codewords = np.ascontiguousarray(reals_MR, dtype=np.float32)
        self._symbols_MK: Symbols = codewords.view(np.complex64)

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame: images uint8 (N, H, W, 3) -> complex64 (N, K); the SNR is not used."""
        del snr_db
        classes_N = self._classifier.logits(items).argmax(axis=1)
        encoded: Symbols = self._symbols_MK[classes_N]
        return encoded


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> LabelTransmitter:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        ConfigurationError: the engine has no such encoder.
    """
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    architecture = LabelArchitecture.model_validate(manifest.architecture)
    arrays = read_arrays(architecture, "transmitter", checkpoint.read_half("transmitter"))
    reals = arrays.pop(CODE)
    classifier: Classifies
    if engine == "torch":
        classifier = _on_torch(architecture, arrays, threads)
    else:
        classifier = _on_onnx(architecture, arrays, threads)
    codec = LabelTransmitter(classifier, reals)
    probe_transmitter(
        checkpoint,
        lambda images: codec.encode(images, snr_db=SNR_DB),
        image=architecture.source.image,
    )
    return codec


def _on_torch(architecture: LabelArchitecture, arrays: Arrays, threads: int) -> Classifies:
    from transmitters.label.on_torch import TorchClassifier  # noqa: PLC0415 - needs torch

    return TorchClassifier(architecture.source, arrays, threads=threads)


def _on_onnx(architecture: LabelArchitecture, arrays: Arrays, threads: int) -> Classifies:
    from transmitters.label.on_onnx import OnnxClassifier  # noqa: PLC0415 - needs ONNX Runtime

    return OnnxClassifier(architecture.source, arrays, threads=threads)
