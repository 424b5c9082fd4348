"""A codec's transmitter on ONNX Runtime, without torch in the process.

Shape legend: N images of a frame, H and W of stored images, S input size of the encoder, c reals
of a codeword, K complex symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.architecture import CodecArchitecture
from semcom.checkpoints import Checkpoint
from semcom.onnx.session import make_session
from semcom.probe import SNR_DB as PROBE_SNR_DB
from semcom.probe import probe_transmitter
from transmitters.onnx_model import CODEWORD, FEATURES, PIXELS, SNR_DB, build_model, needs_snr
from transmitters.onnx_resize import build_resize

Pixels = npt.NDArray[np.float32]


class OnnxCodec:
    """Semantic encoder and channel encoder of one link, as one model."""

    def __init__(self, architecture: CodecArchitecture, model: bytes, *, threads: int) -> None:
        self.architecture = architecture
        self._threads = threads
        self._session = make_session(model, threads=threads)
        self._resizers: dict[tuple[int, int], Any] = {}

    @classmethod
    def load(cls, checkpoint: Checkpoint, *, threads: int) -> OnnxCodec:
        """Build from a checkpoint, ready for use.

        Raises:
            CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        """
        architecture = checkpoint.architecture
        model = build_model(architecture, checkpoint.read_weights("transmitter"))
        codec = cls(architecture, model, threads=threads)
        probe_transmitter(
            checkpoint,
            lambda images: codec.encode(images, snr_db=PROBE_SNR_DB),
            image=architecture.image,
            filled=architecture.channel.filled,
        )
        return codec

    def encode(
        self, images_NHW3: npt.NDArray[np.uint8], *, snr_db: float
    ) -> npt.NDArray[np.complex64]:
        """Encode one frame: uint8 (N, H, W, 3) -> complex64 (N, K).

        `snr_db` reaches the network only if the codec has `tx_csi`.
        """
        (codeword_Nc,) = self.run(self.prepare(images_NHW3), [CODEWORD], snr_db=snr_db)
        return _symbols(codeword_Nc)

    def forward(
        self, pixels_N3SS: Pixels, *, snr_db: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.complex64]]:
        """Compute features (N, D) and symbols (N, K) of pixels in the encoder's size."""
        features_ND, codeword_Nc = self.run(pixels_N3SS, [FEATURES, CODEWORD], snr_db=snr_db)
        return features_ND, _symbols(codeword_Nc)

    def run(
        self, pixels_N3SS: Pixels, outputs: list[str], *, snr_db: float
    ) -> list[npt.NDArray[np.float32]]:
        """Return the model's outputs of these names."""
        inputs = {PIXELS: pixels_N3SS}
        if needs_snr(self.architecture.channel):
            inputs[SNR_DB] = np.full((len(pixels_N3SS), 1), snr_db, dtype=np.float32)
        found: list[npt.NDArray[np.float32]] = self._session.run(outputs, inputs)
        return found

    def prepare(self, images_NHW3: npt.NDArray[np.uint8]) -> Pixels:
        """Return stored images as float32 (N, 3, S, S) in 0..255, resized if needed."""
        images_N3HW = images_NHW3.transpose(0, 3, 1, 2)
        pixels = np.ascontiguousarray(images_N3HW, dtype=np.float32)
        size = self.architecture.encoder.input.size
        if pixels.shape[-1] == size:
            return pixels
        return self._resized(pixels, size)

    def _resized(self, pixels_N3HW: Pixels, size: int) -> Pixels:
        height, width = pixels_N3HW.shape[2:]
        session = self._resizers.get((height, width))
        if session is None:
            session = make_session(build_resize(height, width, size), threads=self._threads)
            self._resizers[height, width] = session
        resized: Pixels = session.run(None, {PIXELS: pixels_N3HW})[0]
        return resized


def _symbols(codeword_Nc: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """(N, c) -> (N, K): `reals_to_symbols`."""
    padded = np.pad(codeword_Nc, ((0, 0), (0, codeword_Nc.shape[1] % 2)))
    symbols: npt.NDArray[np.complex64] = padded.view(np.complex64)
    return symbols
