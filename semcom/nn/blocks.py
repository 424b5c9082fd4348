"""Building blocks shared by the two ends of a link.

Shape legend: B batch, C channels, H height, W width, D feature width, S spatial positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.architecture import EXPANSION
from semcom.nn.attend import attend


class Bottleneck(nn.Module):
    """CLIP-style residual bottleneck: 1x1, 3x3, 1x1 convolutions, each with batch norm.

    A stride is realised by average pooling before the last 1x1 convolution and in the shortcut
    (Table I: planes x 4 output channels).
    """

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = planes * EXPANSION
        self.conv1 = nn.Conv2d(in_channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(in_channels, out_channels, 1, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, planes * 4, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x_BCHW)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(self.pool(y)))
        out: Tensor = F.relu(y.add_(self.shortcut(x_BCHW)), inplace=True)
        return out


class AttentionPool(nn.Module):
    """CLIP's attention pooling: the mean of the map is the query for all positions."""

    def __init__(self, *, channels: int, positions: int, out_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Parameter(torch.randn(positions + 1, channels) / channels**0.5)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, out_dim)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) with H * W == positions -> (B, out_dim)."""
        tokens_BSC = x_BCHW.flatten(2).transpose(1, 2)
        tokens_BSC = torch.cat([tokens_BSC.mean(dim=1, keepdim=True), tokens_BSC], dim=1)
        tokens_BSC = tokens_BSC + self.position
        attended = attend(
            self._split(self.query(tokens_BSC[:, :1])),
            self._split(self.key(tokens_BSC)),
            self._split(self.value(tokens_BSC)),
        )
        out: Tensor = self.output(attended.flatten(1))
        return out

    def _split(self, tokens_BSC: Tensor) -> Tensor:
        """(B, S, C) -> (B, heads, S, C / heads)."""
        batch, positions, channels = tokens_BSC.shape
        split = tokens_BSC.view(batch, positions, self.heads, channels // self.heads)
        return split.transpose(1, 2)


class OneTokenTransformerBlock(nn.Module):
    """Post-norm transformer encoder block for sequences of exactly one token per image.

    With one token the softmax of the attention runs over a single key and is 1, whatever query
    and key are: attention is the value projection followed by the output projection. Query and key
    of the published block would have no effect and no gradient, so they are not built;
    `idle_parameters` gives their number. Rows of a batch never interact.
    """

    def __init__(self, *, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, ffn_dim)
        self.down = nn.Linear(ffn_dim, dim)
        self.norm2 = nn.LayerNorm(dim)

    @property
    def idle_parameters(self) -> int:
        """Parameters of the query and key projections that the published block would hold."""
        return 2 * sum(p.numel() for p in self.value.parameters())

    def forward(self, x_BD: Tensor) -> Tensor:
        """(B, D) -> (B, D)."""
        x_BD = self.norm1(x_BD + self.output(self.value(x_BD)))
        out: Tensor = self.norm2(x_BD + self.down(F.gelu(self.up(x_BD))))
        return out


class SnrCode(nn.Module):
    """SNR -> code: g(s) = sigmoid(Linear(1, width)), s = clip(SNR_dB, -15, 30) / 20.

    If codewords have `increments`, the code also depends on which of them were received: the linear
    layer has one input for each, 1 or 0.
    """

    LOW_DB, HIGH_DB, SCALE_DB = -15.0, 30.0, 20.0

    def __init__(self, width: int, *, increments: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(1 + increments, width)

    def forward(self, snr_db_B: Tensor, come_BI: Tensor | None = None) -> Tensor:
        """(B,) in dB, and which of I increments were received, (B, I) -> (B, width) in 0..1."""
        state = snr_db_B.clamp(self.LOW_DB, self.HIGH_DB).unsqueeze(1) / self.SCALE_DB
        if come_BI is not None:
            state = torch.cat([state, come_BI.to(state)], dim=1)
        return torch.sigmoid(self.linear(state))
