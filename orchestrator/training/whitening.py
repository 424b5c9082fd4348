"""Whitened targets for students of a teacher whose feature has a few dominant directions.

A feature that is standardised per dimension may still have most of its variance in one direction
(in the CIFAR-10 teacher trained here, the one that separates automobiles from the rest). The
squared error of eq. (23) then depends mainly on that direction. Whitening scales the feature so
that its leading directions have about the same weight; it is linear, so the task head loses
nothing.

Shape legend: N images, D feature width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FeatureWhitening:
    """h -> (h - mean_D) matrix_DD, symmetric; a mean variance of 1 per dimension."""

    mean_D: Tensor
    matrix_DD: Tensor

    def __call__(self, features_BD: Tensor) -> Tensor:
        """Features (B, D) -> whitened features (B, D), float32 even under autocast."""
        device = features_BD.device
        with torch.autocast(device.type, enabled=False):
            centred_BD = features_BD.float() - self.mean_D.to(device)
            return centred_BD @ self.matrix_DD.to(device)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors for `FeatureWhitening(**tensors)`."""
        return {"mean_D": self.mean_D, "matrix_DD": self.matrix_DD}


@torch.no_grad()
def fit_feature_whitening(features_ND: Tensor, variance_share: float) -> FeatureWhitening:
    """Fit ZCA.

    The floor is the eigenvalue at which `variance_share` (0..1) of the variance is reached.

    A direction of variance v is scaled by 1 / sqrt(v + floor): those above the floor end up within
    a factor of two in variance, and those with the last `1 - variance_share`, mostly noise, are not
    amplified. The dominant direction is never the floor.

    Raises:
        ValueError: the features do not vary.
    """
    features_ND = features_ND.double()
    mean_D = features_ND.mean(dim=0)
    variances_D, directions_DD = torch.linalg.eigh(torch.cov(features_ND.T))
    variances_D = variances_D.clamp(min=0).flip(0)
    directions_DD = directions_DD.flip(1)
    total = float(variances_D.sum())
    if total <= 0:
        raise ValueError("features that do not vary cannot be whitened")
    reached = int((variances_D.cumsum(0) < variance_share * total).sum())
    floor_at = min(max(reached, 1), len(variances_D) - 1)
    floor = variances_D[floor_at].clamp(min=1e-12 * total)
    scales_D = 1.0 / torch.sqrt(variances_D + floor)
    scales_D *= torch.sqrt(len(scales_D) / (variances_D * scales_D**2).sum())
    matrix_DD = (directions_DD * scales_D) @ directions_DD.T
    return FeatureWhitening(mean_D.float(), matrix_DD.float())
