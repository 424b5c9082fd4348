"""Frechet distance of the features of two sets of images.

FID is defined by the weights of one Inception network, which no package index has
(`orchestrator.training.measuring.inception` reads a user's file). The features of `fd_effnetlite0`
are the 1,280 pooled outputs of EfficientNet-Lite0 at 224 x 224; values compare with each other, and
with no published FID.

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), means m and covariances C

Shape legend: N images, D features.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import timm
import torch
from torch import nn
from torch.nn import functional as F

from orchestrator.training.measuring.images import Images, in_batches
from orchestrator.training.published_weights import load_in_order

NETWORK, SIDE, BATCH = "tf_efficientnet_lite0", 224, 16
Values = npt.NDArray[np.float64]


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D) of features."""

    mean_D: Values
    covariance_DD: Values


class FeatureNetwork(NamedTuple):
    """A network that gives features of images, and how it takes them.

    network: float32 (B, 3, side, side) -> (B, D); side: pixels; offset, scale: a value of 0..255
    becomes (value - offset) / scale.
    """

    network: nn.Module
    side: int
    offset: float
    scale: float


def load_network(folder: Path) -> FeatureNetwork:
    """Return EfficientNet-Lite0 with the weights of a folder, without its classifier.

    Raises:
        ConfigurationError: the weights are those of another network.
    """
    network: nn.Module = timm.create_model(NETWORK, pretrained=False)
    load_in_order(network, folder / "efficientnet-lite0.pth", NETWORK)
    network.reset_classifier(0)  # type: ignore[operator]
    return FeatureNetwork(network.eval(), SIDE, 127.0, 128.0)


@torch.inference_mode()
def gaussian_of(features: FeatureNetwork, images_NHWC: Images) -> Gaussian:
    """Return mean and covariance of the features of images."""
    network, side, offset, scale = features
    found = []
    for (images,) in in_batches(images_NHWC, most=BATCH):
        resized = F.interpolate(images, (side, side), mode="bilinear", align_corners=False)
        found.append(network((resized - offset) / scale).double())
    return fitted(torch.cat(found).numpy())


def fitted(features_ND: Values) -> Gaussian:
    """Return mean and covariance of features."""
    return Gaussian(features_ND.mean(axis=0), np.cov(features_ND, rowvar=False))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return the squared Frechet distance of two normal distributions."""
    # tr (C1 C2)^(1/2) is that of the symmetric C1^(1/2) C2 C1^(1/2), whose roots are real.
    # By torch, which keeps to the threads of a job; numpy's BLAS would take all cores.
    first_DD, second_DD = (torch.from_numpy(each.covariance_DD) for each in (one, other))
    values_D, vectors_DD = torch.linalg.eigh(first_DD)
    root_DD = (vectors_DD * values_D.clip(0.0).sqrt()) @ vectors_DD.T
    inner_D = torch.linalg.eigvalsh(root_DD @ second_DD @ root_DD)
    traces = np.trace(one.covariance_DD) + np.trace(other.covariance_DD)
    apart = np.square(one.mean_D - other.mean_D).sum()
    return max(0.0, float(apart + traces) - 2.0 * float(inner_D.clip(0.0).sqrt().sum()))
