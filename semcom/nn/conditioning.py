"""Maps conditioned on the state of the channel: the AF module of ADJSCC (Xu et al., 2022).

Shape legend: B batch, C channels, H height, W width, S side values.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

SIDE_WIDTH = 128


class AttentionFeature(nn.Module):
    """Scale each channel by a function of the map's mean and the side values (SNR, gains).

        side values -> Linear S-128, layer norm, LeakyReLU, Linear 128-C   | concatenated: 2 C
        mean of the map over its positions                                 |
        -> Linear, LeakyReLU, ..., Linear to C, sigmoid

    `hidden` are the widths between the layers of the last line.
    """

    def __init__(self, channels: int, *, side_values: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.side = nn.Sequential(
            nn.Linear(side_values, SIDE_WIDTH),
            nn.LayerNorm(SIDE_WIDTH),
            nn.LeakyReLU(),
            nn.Linear(SIDE_WIDTH, channels),
        )
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((2 * channels, *hidden, channels)):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU()]
        self.scale = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def forward(self, x_BCHW: Tensor, side_BS: Tensor) -> Tensor:
        """(B, C, H, W), (B, S) -> (B, C, H, W)."""
        context = torch.cat([self.side(side_BS), x_BCHW.mean(dim=(2, 3))], dim=1)
        scaled: Tensor = x_BCHW * self.scale(context)[:, :, None, None]
        return scaled
