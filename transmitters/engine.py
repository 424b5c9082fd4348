"""What computes the networks of a transmitter: torch, or ONNX Runtime without torch.

Both take the same verified weights and agree up to rounding. Each is imported only where it is
the one that is asked for, so that an edge device installs no more than it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from semcom.architecture import CodecArchitecture
from semcom.checkpoints import Checkpoint
from semcom.extras import needed_by
from semcom.settings import Engine


class FrameCodec(Protocol):
    """Semantic encoder and channel encoder of one link."""

    @property
    def architecture(self) -> CodecArchitecture:
        """What it is made of."""
        ...

    def encode(
        self, images_NHW3: npt.NDArray[np.uint8], *, snr_db: float
    ) -> npt.NDArray[np.complex64]:
        """Encode one frame: uint8 (N, H, W, 3) -> complex64 (N, K)."""
        ...


Loader = Callable[[Checkpoint], FrameCodec]
EXTRA: dict[Engine, str] = {"torch": "transmitter", "onnxruntime": "edge"}


def codec_loader(engine: Engine, *, threads: int) -> Loader:
    """Import an engine; what it returns loads codecs for it.

    Raises:
        ConfigurationError: its packages are not installed.
    """
    with needed_by(f"engine {engine}", EXTRA[engine], otherwise="set another engine"):
        return _torch_loader(threads) if engine == "torch" else _onnx_loader(threads)


def _torch_loader(threads: int) -> Loader:
    import torch

    from transmitters.codec import TransmitterCodec

    torch.set_num_threads(threads)
    return TransmitterCodec.load


def _onnx_loader(threads: int) -> Loader:
    from transmitters.onnx_engine import OnnxCodec

    return partial(OnnxCodec.load, threads=threads)
