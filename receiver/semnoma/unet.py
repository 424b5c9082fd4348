"""The U-Net of the refinements: predicts the noise at a diffusion time, or a correction.

    3x3 | block, shrink | block, shrink | block | block | block, grow | block, grow | block | 3x3

Blocks on the upward path get the output of the block of their level on the downward path.

Shape legend: N images, C channels, H height, W width, T width of the embedded time.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.families.semnoma_refinement import (
    COLOURS,
    EMBEDDING,
    NORM_GROUPS,
    UnetArchitecture,
)

LONGEST_PERIOD = 10_000.0


class UNet(nn.Module):
    """An image, and a time or another plane -> an image."""

    def __init__(self, architecture: UnetArchitecture, *, timed: bool) -> None:
        """Make one conditioned on a time, or one with a fourth input plane instead."""
        super().__init__()
        levels, width = architecture.levels, architecture.width
        time = EMBEDDING * width if timed else 0
        self.width = width
        self.time = (
            nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
            if timed
            else None
        )
        self.enter = nn.Conv2d(COLOURS if timed else COLOURS + 1, width, 3, padding=1)
        self.down = nn.ModuleList(
            ResidualBlock(before, channels, time)
            for before, channels in zip((width, *levels[:-1]), levels, strict=True)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=1) for channels in levels[:-1]
        )
        self.middle = ResidualBlock(levels[-1], levels[-1], time)
        self.up = nn.ModuleList(
            ResidualBlock(below + channels, channels, time)
            for channels, below in zip(levels, (*levels[1:], levels[-1]), strict=True)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for channels in levels[1:]
        )
        self.leave = nn.Sequential(
            nn.GroupNorm(NORM_GROUPS, width),
            nn.SiLU(),
            _zero(nn.Conv2d(width, COLOURS, 3, padding=1)),
        )

    def forward(self, x_NCHW: Tensor, time_N: Tensor | None = None) -> Tensor:
        """(N, 3 or 4, H, W), (N,) -> (N, 3, H, W)."""
        embedded = None
        if self.time is not None:
            assert time_N is not None
            embedded = F.silu(self.time(sinusoids(time_N, self.width)))
        x = self.enter(x_NCHW)
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if not level else self.shrink[level - 1](x), embedded)
            kept.append(x)
        x = self.middle(x, embedded)
        for level in reversed(range(len(kept))):
            x = self.up[level](torch.cat([x, kept[level]], dim=1), embedded)
            if level:
                x = self.grow[level - 1](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        out: Tensor = self.leave(x)
        return out


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3, plus time; norm, SiLU, 3x3; residual. It starts as its shortcut."""

    def __init__(self, inputs: int, channels: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(NORM_GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, channels, 3, padding=1)
        )
        self.time = nn.Linear(time, channels) if time else None
        self.second = nn.Sequential(
            nn.GroupNorm(NORM_GROUPS, channels),
            nn.SiLU(),
            _zero(nn.Conv2d(channels, channels, 3, padding=1)),
        )
        self.shortcut = nn.Conv2d(inputs, channels, 1) if inputs != channels else nn.Identity()

    def forward(self, x_NCHW: Tensor, embedded_NT: Tensor | None) -> Tensor:
        """(N, C, H, W), (N, T) -> (N, C, H, W)."""
        y = self.first(x_NCHW)
        if self.time is not None:
            y = y + self.time(embedded_NT)[:, :, None, None]
        out: Tensor = self.shortcut(x_NCHW) + self.second(y)
        return out


def sinusoids(time_N: Tensor, width: int) -> Tensor:
    """Return cosines and sines of a time, (N,) -> (N, width)."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=time_N.device) / half
    phases = time_N.float()[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
    return torch.cat([phases.cos(), phases.sin()], dim=1)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
