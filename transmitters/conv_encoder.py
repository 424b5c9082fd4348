"""The plain convolutional encoder: the compact teacher, and the encoder of its JSCC baseline.

Its feature is standardised per dimension (batch norm without scale), so that the distillation
losses of eq. (23) are measured relative to the feature's variance: an MSE of 1 is that of a
constant.

Shape legend: B batch, C channels, H height, W width, S image size, D feature width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.architecture import ConvEncoderArchitecture


class ConvEncoder(nn.Module):
    """Prepared images (B, 3, S, S) -> standardised features (B, D).

    The first layer is strided for images larger than 32 pixels.
    """

    def __init__(self, architecture: ConvEncoderArchitecture) -> None:
        super().__init__()
        stride = architecture.first_stride
        layers: list[nn.Module] = []
        channels = 3
        if architecture.whiten:
            whitening = Whitening(stride)
            layers.append(whitening)
            channels, stride = whitening.out_channels, 1
        for index, widths in enumerate(architecture.blocks):
            for width in widths:
                layers.append(_conv(channels, width, stride=stride))
                channels, stride = width, 1
            if index < len(architecture.blocks) - 1:
                layers.append(nn.MaxPool2d(2))
            if index in architecture.residual_after:
                layers.append(Residual(channels))
        if architecture.hidden:
            positions = architecture.last_map_size**2
            layers += [nn.Flatten(), *_dense(channels * positions, architecture.hidden)]
            channels = architecture.hidden
        else:
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.trunk = nn.Sequential(*layers)
        self.project = nn.Linear(channels, architecture.feature_dim)
        self.standardize = nn.BatchNorm1d(architecture.feature_dim, affine=False)

    def forward(self, images_B3SS: Tensor) -> Tensor:
        """(B, 3, S, S) float32, normalised -> features (B, D)."""
        features_BD: Tensor = self.standardize(self.project(self.trunk(images_B3SS)))
        return features_BD

    @torch.no_grad()
    def start_as_identity(self) -> None:
        """Initialise each 3x3 convolution as the identity on as many inputs as it has outputs."""
        for layer in self.trunk.modules():
            if isinstance(layer, nn.Conv2d) and not isinstance(layer, Whitening):
                nn.init.dirac_(layer.weight[: min(layer.in_channels, layer.out_channels)])

    def fit_whitening(self, images_B3SS: Tensor) -> None:
        """Set the fixed first layer, if there is one, from a sample of prepared images."""
        if isinstance(self.trunk[0], Whitening):
            self.trunk[0].fit(images_B3SS)


class Whitening(nn.Conv2d):
    """A fixed convolution with the eigenvectors of the images' patches, scaled to unit variance.

    Each component occurs with both signs, so that the following ReLU loses nothing. The idea is
    David Page's and Keller Jordan's (cifar10-airbench, arXiv:2404.00498).
    """

    def __init__(self, stride: int) -> None:
        kernel = 2 * stride
        super().__init__(
            3, 6 * kernel**2, kernel, stride=stride, padding=stride // 2 or 1, bias=False
        )
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def fit(self, images_B3SS: Tensor, epsilon: float = 5e-4) -> None:
        """Compute the eigenvectors from a sample of images."""
        size = self.kernel_size[0]
        patches = images_B3SS.float().unfold(2, size, size).unfold(3, size, size)
        patches_PC = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * size * size).double()
        values, vectors = torch.linalg.eigh(torch.cov(patches_PC.T))
        scaled = (vectors / torch.sqrt(values + epsilon)).T.reshape(-1, 3, size, size)
        self.weight.copy_(torch.cat([scaled, -scaled]).to(self.weight.dtype))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 6 kernel^2, S', S'), rectified."""
        return F.relu(super().forward(x_BCHW))


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


def _dense(in_features: int, out_features: int) -> list[nn.Module]:
    return [
        nn.Linear(in_features, out_features, bias=False),
        nn.BatchNorm1d(out_features),
        nn.ReLU(inplace=True),
    ]
