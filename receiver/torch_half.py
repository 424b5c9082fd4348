"""A receiving half made of torch modules: load its weights, and try it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import Arrays
from semcom.families.family import ReceiverHalf
from semcom.nn.weights import load_arrays
from semcom.probe import probe_receiver


class TorchHalf(ReceiverHalf, Protocol):
    """A receiving half with named modules on a device."""

    device: torch.device

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        ...


def make_ready(codec: TorchHalf, checkpoint: Checkpoint, arrays: Arrays) -> None:
    """Load weights into a half, freeze it on its device, and decode a few codewords.

    Raises:
        CheckpointError: the weights do not fit, or give invalid outputs.
    """
    load_arrays(codec.modules, arrays)
    for module in codec.modules.values():
        module.eval().requires_grad_(False).to(codec.device)
    probe_receiver(
        checkpoint,
        lambda symbols, snr_db: codec.decode(
            symbols, None, snr_db_N=snr_db, equalizer="zero_forcing"
        ),
    )
