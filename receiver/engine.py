"""Engines that run the networks of a receiver: torch, or ONNX Runtime without torch.

Both take the same verified weights and agree up to rounding. Only the selected one is imported, so
that a server without torch installs no more than it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError
from semcom.extras import needed_by
from semcom.families import ReceiverHalf
from semcom.fingerprint import EngineRounding
from semcom.settings import Engine, check_device

Loader = Callable[[Checkpoint], ReceiverHalf]
EXTRA: dict[Engine, str] = {"torch": "receiver", "onnxruntime": "edge"}


def codec_loader(engine: Engine, *, device: str, threads: int) -> Loader:
    """Import an engine; return a function that loads codecs of any family for it.

    Raises:
        ConfigurationError: its packages are not installed, or it has no such device.
    """
    with needed_by(f"engine {engine}", EXTRA[engine], otherwise="set another engine"):
        if engine == "torch":
            import torch

            torch.set_num_threads(threads)
            device = _torch_device(device)
        else:
            import receiver.onnx_decoder  # noqa: F401 - checks that its packages are installed

            device = _processor(engine, device)
    return partial(Checkpoint.load_receiver, engine=engine, device=device, threads=threads)


def engine_rounding(engine: Engine, *, device: str, threads: int) -> EngineRounding:
    """Return the rounding of an engine on this host; this takes a moment."""
    if engine == "torch":
        from semcom.nn.rounding import torch_part

        return torch_part(device=_torch_device(device), threads=threads)
    from semcom.onnx.rounding import onnx_part

    return onnx_part(threads=threads)


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> ReceiverHalf:
    """Load the receiving half of a codec of the paper's families.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        ConfigurationError: the engine has no such device.
    """
    if engine == "torch":
        from receiver.codec import ReceiverCodec

        return ReceiverCodec.load(checkpoint, device)
    _processor(engine, device)
    from receiver.onnx_decoder import OnnxDecoder

    return OnnxDecoder.load(checkpoint, threads=threads)


def _torch_device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError(f"device {name} requested, but there is no CUDA device here")
    return name


def _processor(engine: Engine, device: str) -> str:
    """Return the only device on which ONNX Runtime computes here."""
    try:
        check_device(engine, device)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    return "cpu"
