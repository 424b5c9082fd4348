"""Whitened targets: for students of a teacher whose feature has a few loud directions.

A feature that is standardised per dimension may still have most of its variance in one direction
(in the CIFAR-10 teacher trained here, the one that tells automobiles from the rest). The squared
error of eq. (23) then asks for that direction and for little else. Whitening turns the feature so
that its leading directions count alike; it is linear, so the task's head loses nothing.

Shape legend: N images, D feature width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Whitening:
    """h -> (h - mean_D) matrix_DD, symmetric; a mean variance of 1 per dimension."""

    mean_D: Tensor
    matrix_DD: Tensor

    def __call__(self, features_BD: Tensor) -> Tensor:
        """Features (B, D) -> whitened features (B, D), float32 also under autocast."""
        device = features_BD.device
        with torch.autocast(device.type, enabled=False):
            centred_BD = features_BD.float() - self.mean_D.to(device)
            return centred_BD @ self.matrix_DD.to(device)

    def tensors(self) -> dict[str, Tensor]:
        """What `Whitening(**tensors)` makes this from."""
        return {"mean_D": self.mean_D, "matrix_DD": self.matrix_DD}


@torch.no_grad()
def fit_whitening(features_ND: Tensor, share: float) -> Whitening:
    """ZCA with the eigenvalue as floor at which `share` (0..1) of the variance is reached.

    A direction of variance v is scaled by 1 / sqrt(v + floor): the leading ones come out alike,
    and those that carry the last `1 - share` of the variance, mostly noise, are not blown up.

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
    reached = int((variances_D.cumsum(0) < share * total).sum())
    floor = variances_D[min(reached, len(variances_D) - 1)].clamp(min=1e-12 * total)
    scales_D = 1.0 / torch.sqrt(variances_D + floor)
    scales_D *= torch.sqrt(len(scales_D) / (variances_D * scales_D**2).sum())
    matrix_DD = (directions_DD * scales_D) @ directions_DD.T
    return Whitening(mean_D.float(), matrix_DD.float())
