"""Engines that run the networks of a transmitter: torch, or ONNX Runtime without torch.

Both take the same verified weights and agree up to rounding. Only the selected one is imported, so
that an edge device installs no more than it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from semcom.checkpoints import Checkpoint
from semcom.extras import needed_by
from semcom.families import TransmitterHalf
from semcom.fingerprint import EngineRounding
from semcom.settings import Engine

Loader = Callable[[Checkpoint], TransmitterHalf]
EXTRA: dict[Engine, str] = {"torch": "transmitter", "onnxruntime": "edge"}


def codec_loader(engine: Engine, *, threads: int) -> Loader:
    """Import an engine; return a function that loads codecs of any family for it.

    Raises:
        ConfigurationError: its packages are not installed.
    """
    with needed_by(f"engine {engine}", EXTRA[engine], otherwise="set another engine"):
        if engine == "torch":
            import torch

            torch.set_num_threads(threads)
        else:
            import transmitters.onnx_engine  # noqa: F401 - checks that its packages are installed
    return partial(Checkpoint.load_transmitter, engine=engine, threads=threads)


def engine_rounding(engine: Engine, *, threads: int) -> EngineRounding:
    """Return the rounding of an engine on this host; this takes a moment."""
    if engine == "torch":
        from semcom.nn.rounding import torch_part

        return torch_part(threads=threads)
    from semcom.onnx.rounding import onnx_part

    return onnx_part(threads=threads)


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> TransmitterHalf:
    """Load the transmitting half of a codec of the paper's families.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    if engine == "torch":
        from transmitters.codec import TransmitterCodec

        return TransmitterCodec.load(checkpoint)
    from transmitters.onnx_engine import OnnxCodec

    return OnnxCodec.load(checkpoint, threads=threads)
