"""From stored pixels to the encoder's input, in training and in deployment alike.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.architecture import InputSpec


def prepare_images(images_NHW3: Tensor, spec: InputSpec) -> Tensor:
    """uint8 (N, H, W, 3) -> normalised float32 (N, 3, size, size), channels_last in memory.

    Images of another size are resized bicubically with antialiasing.
    """
    images = images_NHW3.permute(0, 3, 1, 2).to(torch.float32)
    if images.shape[-1] != spec.size:
        size = (spec.size, spec.size)
        images = F.interpolate(images, size=size, mode="bicubic", antialias=True)
        images = images.clamp(0.0, 255.0).contiguous(memory_format=torch.channels_last)
    mean = torch.tensor(spec.mean).view(1, 3, 1, 1) * 255.0
    scale = 1.0 / (torch.tensor(spec.std).view(1, 3, 1, 1) * 255.0)
    return (images - mean.to(images.device)) * scale.to(images.device)
