"""Refinement of recovered images at the receiver, after the decoders.

    diffusion   x_t0 = sqrt(abar) x^ + sqrt(1 - abar) e, then DDIM steps without noise (eta 0)
    cgan        x^ + U-Net(x^, SNR plane)

Shape legend: N images, H height, W width. Pixels are 0..1; within the diffusion they are -1..1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import assert_never

import torch
from torch import Tensor, nn

from receiver.semnoma.gains import SNR_SCALE_DB
from receiver.semnoma.unet import UNet
from semcom.families.semnoma_refinement import (
    COLOURS,
    HIGHEST_STEP,
    DiffusionRefinement,
    GanRefinement,
)
from semcom.item_keys import ItemKey

# The linear schedule of Ho et al., arXiv:2006.11239. Codecs rely on these numbers.
LOWEST_BETA, HIGHEST_BETA = 1e-4, 0.02
PURPOSE = "refine"


class Refiner(nn.Module, ABC):
    """Pixels from a decoder -> refined pixels."""

    draws: bool

    @abstractmethod
    def forward(self, pixels_N3HW: Tensor, snr_db_N: Tensor, noise_N3HW: Tensor | None) -> Tensor:
        """(N, 3, H, W), (N,), normal noise if it draws -> (N, 3, H, W)."""


class DiffusionRefiner(Refiner):
    """A denoising prior that starts at a step t0, which depends on the SNR."""

    draws = True

    def __init__(self, refinement: DiffusionRefinement) -> None:
        super().__init__()
        self.refinement = refinement
        self.unet = UNet(refinement.unet, timed=True)

    def forward(self, pixels_N3HW: Tensor, snr_db_N: Tensor, noise_N3HW: Tensor | None) -> Tensor:
        """Refine each image from the start for its SNR; with start 0 it is unchanged."""
        assert noise_N3HW is not None
        starts = [self.refinement.start_at(snr_db) for snr_db in snr_db_N.tolist()]
        refined = pixels_N3HW.clone()
        for start in sorted(set(starts) - {0}):
            places = [place for place, each in enumerate(starts) if each == start]
            refined[places] = self.from_step(start, pixels_N3HW[places], noise_N3HW[places])
        return refined

    def from_step(self, start: int, pixels_N3HW: Tensor, noise_N3HW: Tensor) -> Tensor:
        """Add the noise of a step to images and remove it."""
        signal, noise = amplitudes(start)
        x_t = signal * (2.0 * pixels_N3HW.clamp(0.0, 1.0) - 1.0) + noise * noise_N3HW
        steps = ddim_steps(start, self.refinement.ddim_steps)
        for step, following in zip(steps, (*steps[1:], 0), strict=True):
            (signal, noise), (next_signal, next_noise) = amplitudes(step), amplitudes(following)
            times_N = torch.full((len(x_t),), step, device=x_t.device)
            x_0 = ((x_t - noise * self.unet(x_t, times_N)) / signal).clamp(-1.0, 1.0)
            x_t = next_signal * x_0 + (next_noise / noise) * (x_t - signal * x_0)
        return (x_t + 1.0) / 2.0


class GanRefiner(Refiner):
    """The generator of a conditional GAN: a correction of the image."""

    draws = False

    def __init__(self, refinement: GanRefinement) -> None:
        super().__init__()
        self.refinement = refinement
        self.unet = UNet(refinement.unet, timed=False)

    def forward(self, pixels_N3HW: Tensor, snr_db_N: Tensor, noise_N3HW: Tensor | None) -> Tensor:
        """Add the correction."""
        del noise_N3HW
        pixels = pixels_N3HW.clamp(0.0, 1.0)
        refined: Tensor = pixels + self.unet(self.seen(pixels, snr_db_N))
        return refined

    def seen(self, pixels_N3HW: Tensor, snr_db_N: Tensor) -> Tensor:
        """Return images with a plane of SNR / 20, (N, 4, H, W)."""
        snr_N = snr_db_N.clamp(*self.refinement.snr_db) / SNR_SCALE_DB
        plane = snr_N[:, None, None, None].expand(-1, 1, *pixels_N3HW.shape[2:])
        return torch.cat([pixels_N3HW, plane], dim=1)


def make_refiner(refinement: DiffusionRefinement | GanRefinement) -> Refiner:
    """Return a refiner with initial weights."""
    match refinement:
        case DiffusionRefinement():
            return DiffusionRefiner(refinement)
        case GanRefinement():
            return GanRefiner(refinement)
        case _:
            assert_never(refinement)


def amplitudes(step: int) -> tuple[float, float]:
    """Return sqrt(abar) and sqrt(1 - abar) of a step; 1 and 0 for step 0."""
    abar = 1.0 if step == 0 else float(_ABARS[step - 1])
    return abar**0.5, (1.0 - abar) ** 0.5


def ddim_steps(start: int, most: int) -> tuple[int, ...]:
    """Return evenly spaced steps from `start` down to above 0, at most `most`."""
    even = (round(start * (most - number) / most) for number in range(most))
    return tuple(dict.fromkeys(step for step in even if step > 0))


def keyed_noise(keys_N: Sequence[ItemKey], *, height: int, width: int) -> Tensor:
    """Return normal noise (N, 3, H, W), with a separate generator for each image."""
    shape = (COLOURS, height, width)
    return torch.stack(
        [
            torch.randn(shape, generator=torch.Generator().manual_seed(key.seed_for(PURPOSE)))
            for key in keys_N
        ]
    )


_BETAS = torch.linspace(LOWEST_BETA, HIGHEST_BETA, HIGHEST_STEP, dtype=torch.float64)
_ABARS = torch.cumprod(1.0 - _BETAS, dim=0)
