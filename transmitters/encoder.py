"""Semantic encoder (student): a CLIP-style modified ResNet with searched depths, Table I.

Shape legend: B batch, H height, W width, D feature width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from semcom.architecture import EXPANSION, STAGE_STRIDES, EncoderArchitecture
from semcom.nn.blocks import AttentionPool, Bottleneck


class Stem(nn.Module):
    """Three 3x3 convolutions to 32, 32, 64 channels (x width), then 2x2 average pooling.

    At 224x224 the first one has stride 2 and the stem divides the image by 4. A compact profile
    drops that stride so that the last map keeps at least 2x2 positions.
    """

    def __init__(self, channels: tuple[int, int, int], *, conv_stride: int) -> None:
        super().__init__()
        first, second, third = channels
        self.conv1 = nn.Conv2d(3, first, 3, stride=conv_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, third, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(third)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 64 * width, H / (2 conv_stride), W / (2 conv_stride))."""
        x = F.relu(self.bn1(self.conv1(x_BCHW)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.relu(self.bn3(self.conv3(x)), inplace=True)
        out: Tensor = self.pool(x)
        return out


class SemanticEncoder(nn.Module):
    """h = f_theta_s(s), eq. (1): normalised images -> semantic features.

    images (B, 3, H, W) -> stem -> stage 1..4 (depths k) -> attention pooling -> h (B, D)
    """

    def __init__(self, architecture: EncoderArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.stem = Stem(architecture.stem_channels, conv_stride=architecture.stem_conv_stride)
        stages: list[nn.Module] = []
        channels = architecture.stem_channels[-1]
        for planes, stride, depth in zip(
            architecture.stage_planes, STAGE_STRIDES, architecture.depths, strict=True
        ):
            stages.append(make_stage(channels, planes, stride=stride, depth=depth))
            channels = planes * EXPANSION
        self.stages = nn.ModuleList(stages)
        self.pool = AttentionPool(
            channels=channels,
            positions=architecture.last_map_size**2,
            out_dim=architecture.feature_dim,
            heads=architecture.heads,
        )

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """(B, 3, H, W) float32, normalised -> features (B, D)."""
        x = self.stem(images_B3HW)
        for stage in self.stages:
            x = stage(x)
        features_BD: Tensor = self.pool(x)
        return features_BD


def make_stage(in_channels: int, planes: int, *, stride: int, depth: int) -> nn.Sequential:
    """Return `depth` bottlenecks; the first one changes the width and has the stride."""
    blocks = [Bottleneck(in_channels, planes, stride)]
    blocks += [Bottleneck(planes * EXPANSION, planes) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)
