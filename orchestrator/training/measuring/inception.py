"""The network of FID: Inception-v3 as TensorFlow's `inception-2015-12-05`, from a user's file.

Its blocks are torchvision's, but averages in their pooling branches leave padding out, and the last
block takes maxima; it has 1,008 classes. `pt_inception-2015-12-05-6726825d.pth` of `pytorch-fid`
has its weights under torchvision's names. The features are the 2,048 pooled outputs at 299 x 299.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_safetensors
from torch import nn
from torch.nn import functional as F
from torchvision.models import inception

from orchestrator.training.measuring.frechet import FeatureNetwork
from semcom.errors import ConfigurationError

FILE = "inception.weights"
CLASSES, SIDE = 1008, 299
LAST_WIDTH = 2048  # channels that the last block takes
Branches = list[torch.Tensor]


def _average(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(inception.InceptionA):  # type: ignore[misc]
    """The first kind of block."""

    def _forward(self, x: torch.Tensor) -> Branches:
        *branches, _ = super()._forward(x)
        return [*branches, self.branch_pool(_average(x))]


class BlockC(inception.InceptionC):  # type: ignore[misc]
    """The block with 7 x 7 convolutions."""

    def _forward(self, x: torch.Tensor) -> Branches:
        *branches, _ = super()._forward(x)
        return [*branches, self.branch_pool(_average(x))]


class BlockE(inception.InceptionE):  # type: ignore[misc]
    """The widest block; the last one of the network takes maxima in place of averages."""

    def __init__(self, in_channels: int, **options: Any) -> None:
        super().__init__(in_channels, **options)
        self._is_last = in_channels == LAST_WIDTH

    def _forward(self, x: torch.Tensor) -> Branches:
        *branches, _ = super()._forward(x)
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self._is_last else _average(x)
        return [*branches, self.branch_pool(pooled)]


def new_inception() -> nn.Module:
    """Return the network without weights, with its classifier."""
    network: nn.Module = inception.Inception3(
        num_classes=CLASSES,
        aux_logits=False,
        init_weights=False,
        inception_blocks=[
            inception.BasicConv2d,
            BlockA,
            inception.InceptionB,
            BlockC,
            inception.InceptionD,
            BlockE,
            inception.InceptionAux,
        ],
    )
    return network


def load_inception(folder: Path) -> FeatureNetwork:
    """Return the network with the weights of a folder, without its classifier.

    Raises:
        ConfigurationError: the file is damaged, or holds other weights.
    """
    path = folder / FILE
    stored = _read(path)
    with torch.device("meta"):
        network = new_inception()
    wanted = network.state_dict()
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    for name, array in wanted.items():
        found = stored.get(name)
        if found is None and name in optional:
            continue
        if found is None or found.shape != array.shape:
            shape = "is missing" if found is None else f"has {tuple(found.shape)}"
            raise _unfit(path, f"{name} {shape}, not {tuple(array.shape)}")
    if strange := [name for name in stored if name not in wanted]:
        raise _unfit(path, f"it has {strange[0][:60]}, too")
    counted = {name: torch.zeros((), dtype=torch.int64) for name in optional}
    network.load_state_dict(counted | dict(stored), assign=True)
    network.fc = nn.Identity()
    return FeatureNetwork(network.float().eval(), SIDE, 127.5, 127.5)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    """Return the arrays of a file: safetensors, or those that torch saved; no code of it is run."""
    content = path.read_bytes()
    try:
        if content[8:9] == b"{":
            return load_safetensors(content)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch may fail in any way on a file from elsewhere
        raise _unfit(path, "it is neither safetensors nor arrays as torch saves them") from error
    tensors = isinstance(found, dict) and all(isinstance(a, torch.Tensor) for a in found.values())
    if not tensors:
        raise _unfit(path, "it holds no weights by their names")
    return dict(found)


def _unfit(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} holds no weights of the Inception network of FID: {why}; name another file with: "
        "semcom weights inception --from FILE"
    )
