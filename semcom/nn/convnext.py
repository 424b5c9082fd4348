"""ConvNeXt blocks (Liu et al., 2022, arXiv:2201.03545) and the layer norm of their maps.

Shape legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXPANSION = 4
KERNEL = 7
LAYER_SCALE = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of a map."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, layer norm, C -> 4 C, GELU, 4 C -> C, layer scale, residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, EXPANSION * channels)
        self.down = nn.Linear(EXPANSION * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), LAYER_SCALE))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y_BHWC = self.norm(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        y_BHWC = self.scale * self.down(F.gelu(self.up(y_BHWC)))
        out: Tensor = x_BCHW + y_BHWC.permute(0, 3, 1, 2)
        return out
