"""The classifier of a transmitter on torch.

Shape legend: N images of a frame, H height, W width, T classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import Arrays
from semcom.families.label import NOISE_FREE_DB
from semcom.nn.image_input import prepare_images
from semcom.nn.symbols import symbols_to_reals
from semcom.nn.weights import load_arrays
from transmitters.codec import TransmitterCodec
from transmitters.label.classifier import Classifier


class TorchClassifier:
    """A codec's transmitting half, and its receiving half without noise."""

    def __init__(self, source: CodecArchitecture, arrays: Arrays, *, threads: int) -> None:
        torch.set_num_threads(threads)
        self._codec = TransmitterCodec(source)
        self._classifier = Classifier(source)
        modules = {**self._codec.modules, "classifier": self._classifier}
        load_arrays(modules, arrays)
        for module in modules.values():
            module.eval().requires_grad_(False)
        for module in self._codec.modules.values():
            module.to(memory_format=torch.channels_last)

    def logits(self, images_NHW3: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Classify one frame: uint8 (N, H, W, 3) -> float32 (N, T)."""
        source = self._codec.architecture
        with torch.inference_mode():
            prepared = prepare_images(torch.from_numpy(np.array(images_NHW3)), source.encoder.input)
            snr_db_N = torch.full((len(prepared),), NOISE_FREE_DB)
            _, symbols_NK = self._codec.forward(prepared, snr_db_N)
            logits_NT = self._classifier(symbols_to_reals(symbols_NK, source.channel.codeword_dim))
        logits: npt.NDArray[np.float32] = logits_NT.numpy()
        return logits
