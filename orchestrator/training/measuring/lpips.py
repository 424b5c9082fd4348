"""LPIPS: a learned distance of two images (Zhang et al., CVPR 2018), AlexNet, version 0.1.

The features of five layers of AlexNet are scaled to unit length per position; their squared
differences are weighted per channel, averaged over positions and added up. 0 means no difference.

Images with sides below LEAST_SIDE are doubled (bilinear) until they reach it: the last layer of
AlexNet sees a 32 x 32 image as one position.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from orchestrator.training.measuring.images import Images, in_batches

LEAST_SIDE = 64
# For images in -1..1, so that AlexNet gets the mean and deviation of ImageNet.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
# Width, kernel, stride and padding of each convolution, and whether max pooling precedes it.
LAYERS = (
    (64, 11, 4, 2, False),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, True),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, False),
)
EPSILON = 1e-10


class Lpips(nn.Module):
    """The convolutions of AlexNet, and a weight for each channel of their outputs."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *(layer[0] for layer in LAYERS)]
        self.conv = nn.ModuleList(
            nn.Conv2d(before, width, kernel, stride, padding)
            for before, (width, kernel, stride, padding, _) in zip(widths, LAYERS, strict=False)
        )
        self.linear = nn.ParameterList(torch.zeros(layer[0]) for layer in LAYERS)
        self.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)

    @classmethod
    def load(cls, folder: Path) -> Lpips:
        """Return the network with the weights of a folder."""
        return cls.of(load_file(folder / "alexnet.safetensors"))

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> Lpips:
        """Return the network with weights."""
        network = cls()
        network.load_state_dict(dict(state))
        return network.eval()

    def forward(self, sent: torch.Tensor, received: torch.Tensor) -> torch.Tensor:
        """Return the distance of each pair (N,) of images float32 (N, 3, H, W) in -1..1."""
        count = len(sent)
        maps = (enlarged(torch.cat([sent, received])) - self.shift) / self.scale
        total = maps.new_zeros(count)
        for conv, weights_C, layer in zip(self.conv, self.linear, LAYERS, strict=True):
            maps = F.relu(conv(F.max_pool2d(maps, 3, 2) if layer[-1] else maps))
            unit = maps / (maps.square().sum(1, keepdim=True).sqrt() + EPSILON)
            squared = (unit[:count] - unit[count:]).square()
            total = total + torch.einsum("nchw,c->nhw", squared, weights_C).mean((1, 2))
        return total


def enlarged(images: torch.Tensor) -> torch.Tensor:
    """Return images whose sides are doubled until both have LEAST_SIDE pixels."""
    while min(images.shape[-2:]) < LEAST_SIDE:
        images = F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    return images


@torch.inference_mode()
def distances(network: Lpips, sent_NHWC: Images, received_NHWC: Images) -> npt.NDArray[np.float64]:
    """Return the LPIPS of each image, float64 (N,)."""
    found = [
        network(sent / 127.5 - 1.0, received / 127.5 - 1.0)
        for sent, received in in_batches(sent_NHWC, received_NHWC)
    ]
    return torch.cat(found).double().numpy()
