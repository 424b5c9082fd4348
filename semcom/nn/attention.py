"""The simplified attention block of Cheng et al., 2020 (arXiv:2001.01568, section 3.3).

Shape legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNITS = 3  # residual units of each branch


class ResidualUnit(nn.Module):
    """1x1 to C / 2, 3x3, 1x1 to C, with ReLU between and after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.reduce = nn.Conv2d(channels, half, 1)
        self.middle = nn.Conv2d(half, half, 3, padding=1)
        self.expand = nn.Conv2d(half, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = F.relu(self.middle(F.relu(self.reduce(x_BCHW))))
        return F.relu(x_BCHW + self.expand(y))


class AttentionBlock(nn.Module):
    """x + trunk(x) * sigmoid(mask(x)): three residual units in each branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*(ResidualUnit(channels) for _ in range(UNITS)))
        self.mask = nn.Sequential(
            *(ResidualUnit(channels) for _ in range(UNITS)), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x_BCHW + self.trunk(x_BCHW) * torch.sigmoid(self.mask(x_BCHW))
        return out
