"""The discriminator of the conditional GAN: three layers on patches (Isola et al., 2017).

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.2
GROUPS = 8
PLANES = 7  # an image, and the input of the generator: an image and the SNR


class PatchDiscriminator(nn.Module):
    """An image and its source -> a score for each patch of 22 x 22 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(PLANES, width, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(GROUPS, 2 * width),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * width, 1, 4, padding=1),
        )

    def forward(self, images_N3HW: Tensor, seen_N4HW: Tensor) -> Tensor:
        """(N, 3, H, W), (N, 4, H, W) -> scores (N, 1, H / 4 - 1, W / 4 - 1)."""
        scores: Tensor = self.layers(torch.cat([images_N3HW, seen_N4HW], dim=1))
        return scores
