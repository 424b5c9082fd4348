"""Task heads: recovered features -> the task's answer, eq. (5)."""

from __future__ import annotations

from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """y^ = f_phi_s(h~): features (B, D) -> logits (B, T)."""

    def __init__(self, *, feature_dim: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, classes)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Features (B, D) -> logits (B, T)."""
        logits_BT: Tensor = self.linear(features_BD)
        return logits_BT
