"""The compact teacher: what a CPU can train to be better than the student.

Its feature is standardised per dimension (batch norm without scale), so that the distillation
losses of eq. (23) are measured in units of the feature's own spread: MSE 1 is knowing nothing.

Shape legend: B batch, S image size, D feature width, T classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from orchestrator.training.settings import TeacherArchitecture


class Teacher(nn.Module):
    """Convolutional network -> standardised feature (B, D) -> linear head (B, T).

    Three max-pooled 3x3 stages after the stem, optionally a residual block in stages 2 and 4.
    Images above 32 pixels lose the surplus by a strided stem.
    """

    def __init__(
        self, architecture: TeacherArchitecture, *, image_size: int, feature_dim: int, classes: int
    ) -> None:
        super().__init__()
        first, second, third, fourth = architecture.channels
        residual = architecture.residual
        self.trunk = nn.Sequential(
            _conv(3, first, stride=max(1, image_size // 32)),
            nn.MaxPool2d(2),
            _conv(first, second),
            nn.MaxPool2d(2),
            *([Residual(second)] if residual else []),
            _conv(second, third),
            nn.MaxPool2d(2),
            _conv(third, fourth),
            *([Residual(fourth)] if residual else []),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.project = nn.Linear(fourth, feature_dim)
        self.standardize = nn.BatchNorm1d(feature_dim, affine=False)
        self.head = nn.Linear(feature_dim, classes)

    def forward(self, images_B3SS: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared images -> (features h_T (B, D), logits (B, T))."""
        features_BD: Tensor = self.standardize(self.project(self.trunk(images_B3SS)))
        logits_BT: Tensor = self.head(F.relu(features_BD))
        return features_BD, logits_BT


class Residual(nn.Module):
    """x + two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(channels, channels), _conv(channels, channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x_BCHW + self.body(x_BCHW)
        return out


def _conv(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
