"""Stages of refinements.

    diffusion   learns the noise of a step from images alone; the average of its weights is kept
    cgan        learns |x' - x| + 0.01 adversarial (hinge) from images recovered by a codec

Shape legend: B images of a batch, U users, N = B / U slots, H height, W width.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.swa_utils import AveragedModel

from orchestrator.training.data import Batch, ImageSet, keyed_generator
from orchestrator.training.semnoma.link import SlotLink
from orchestrator.training.semnoma.refinement.discriminator import PatchDiscriminator
from orchestrator.training.semnoma.refinement.settings import (
    DiffusionSettings,
    GanSettings,
    RefinementStageName,
)
from orchestrator.training.semnoma.settings import SlotChannel
from orchestrator.training.semnoma.stages import (
    ENOUGH_DB,
    slots_of_batch,
    validation_batches,
)
from orchestrator.training.stage import Losses, Prepare, Stage
from receiver.semnoma.refinement import GanRefiner, amplitudes
from receiver.semnoma.unet import UNet
from semcom.families.semnoma_refinement import (
    COLOURS,
    GanRefinement,
    UnetArchitecture,
)

Several = tuple[Tensor, ...] | list[Tensor]


class RefinementStage(Stage):
    """Base of stages: validation after all epochs, and the exported network."""

    uses_views = False

    def __init__(self, name: RefinementStageName, prepare: Prepare, held_out: ImageSet) -> None:
        super().__init__(prepare, name)
        self.validated: dict[str, float] = {}
        self._held_out = held_out

    @property
    @abstractmethod
    def exported(self) -> nn.Module:
        """Return the U-Net with the weights for the codec."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Return the results on the held-out images, with the same draws every time."""

    def finish(self) -> None:
        """Report the results."""
        self.validated = self.validate()


class DiffusionStage(RefinementStage):
    """The noise-predicting U-Net and the moving average of its weights."""

    def __init__(
        self,
        prepare: Prepare,
        architecture: UnetArchitecture,
        settings: DiffusionSettings,
        held_out: ImageSet,
    ) -> None:
        super().__init__("diffusion", prepare, held_out)
        self.unet = UNet(architecture, timed=True)
        self._settings = settings

        def follow(kept: Several, now: Several, updates: Tensor | int) -> None:
            number = float(updates)
            decay = min(settings.average_decay, (1.0 + number) / (10.0 + number))
            torch._foreach_lerp_(kept, now, 1.0 - decay)

        self.average = AveragedModel(self.unet, multi_avg_fn=follow).requires_grad_(False)
        steps = range(1, settings.highest_step + 1)
        self._amplitudes = torch.tensor([amplitudes(step) for step in steps])

    @property
    def exported(self) -> nn.Module:
        """Return the average."""
        module: nn.Module = self.average.module
        return module

    def forward(self, batch: Batch) -> Losses:
        """Return the mean squared error of the predicted noise."""
        return {"noise": self._error(self.unet, batch).mean()}

    def before_step(self, step: int, share: float) -> None:
        """Update the average with the weights after the last step."""
        del step, share
        self.average.update_parameters(self.unet)

    def finish(self) -> None:
        """Update the average after the last step, too."""
        self.average.update_parameters(self.unet)
        super().finish()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the average's mean squared error."""
        errors = [
            self._error(self.exported, batch) for batch in validation_batches(self._held_out, 1)
        ]
        return {"noise_error": float(torch.cat(errors).double().mean())}

    def _error(self, unet: nn.Module, batch: Batch) -> Tensor:
        """Return the squared error of each image; draws are keyed by image and step."""
        images_B3HW = 2.0 * self.prepare(batch.images_BSS3) - 1.0
        device = images_B3HW.device
        highest = self._settings.highest_step
        step_B = (highest * batch.uniform("step")).long().clamp_max(highest - 1) + 1
        signal, noise_share = self._amplitudes[step_B - 1].T.to(device)[:, :, None, None, None]
        noise_B3HW = _noise(batch, images_B3HW.shape[2:]).to(device)
        x_t = signal * images_B3HW + noise_share * noise_B3HW
        predicted = unet(x_t, step_B.to(device)).float()
        errors_B: Tensor = (predicted - noise_B3HW).square().mean(dim=(1, 2, 3))
        return errors_B


class GanStage(RefinementStage):
    """Generator and discriminator, updated together by one optimiser.

    The discriminator's weights are constant in the generator's adversarial term, and images are
    constant in the discriminator's loss: neither updates the other.
    """

    def __init__(
        self,
        prepare: Prepare,
        refinement: GanRefinement,
        settings: GanSettings,
        held_out: ImageSet,
        *,
        link: SlotLink,
        channels: tuple[SlotChannel, ...],
    ) -> None:
        super().__init__("cgan", prepare, held_out)
        self.generator = GanRefiner(refinement)
        self.discriminator = PatchDiscriminator(settings.discriminator_width)
        self._weight = settings.adversarial_weight
        self._channels = channels
        self._frozen = (link.eval().requires_grad_(False),)  # neither trained nor saved

    @property
    def exported(self) -> nn.Module:
        """Return the generator's U-Net."""
        return self.generator.unet

    def forward(self, batch: Batch) -> Losses:
        """Return the generator's absolute error and adversarial term, and the hinge loss."""
        images, recovered, snr_db_B = self._recovered(batch)
        refined = self.generator(recovered, snr_db_B, None)
        seen = self.generator.seen(recovered, snr_db_B)
        real = self.discriminator(images, seen)
        fake = self.discriminator(refined.detach(), seen)
        constant = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        fooled = functional_call(self.discriminator, constant, (refined, seen))
        return {
            "image": F.l1_loss(refined.float(), images),
            "adversarial": -self._weight * fooled.float().mean(),
            "discriminator": F.relu(1.0 - real.float()).mean() + F.relu(1.0 + fake.float()).mean(),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the mean PSNR in dB before and after."""
        before: list[Tensor] = []
        after: list[Tensor] = []
        for batch in validation_batches(self._held_out, self._frozen[0].users):
            images, recovered, snr_db_B = self._recovered(batch)
            refined = self.generator(recovered, snr_db_B, None).clamp(0.0, 1.0)
            for pixels, errors in ((recovered, before), (refined, after)):
                errors.append((pixels.float() - images).square().mean(dim=(1, 2, 3)))
        return {"psnr_db_before": _psnr_db(before), "psnr_db": _psnr_db(after)}

    def _recovered(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return images, the recovered ones (B, 3, H, W), and SNRs in dB (B,)."""
        (link,) = self._frozen
        sent = slots_of_batch(batch, self.prepare(batch.images_BSS3), link, self._channels)
        with torch.no_grad():
            pixels = link(sent.images_UN3HW, sent.draw, sent.snr_db_N).pixels_UN3HW
        snr_db_B = sent.snr_db_N.repeat(len(pixels))
        recovered = pixels.flatten(0, 1).float().clamp(0.0, 1.0)
        return sent.images_UN3HW.flatten(0, 1), recovered, snr_db_B


def _noise(batch: Batch, size: torch.Size) -> Tensor:
    """Return normal noise for each image, independent of the ranks' parts."""
    shape = (batch.total, COLOURS, *size)
    drawn = torch.randn(shape, generator=keyed_generator(f"{batch.key}/noise"))
    return drawn[batch.first : batch.first + len(batch.labels_B)]


def _psnr_db(errors: list[Tensor]) -> float:
    psnr_db_M = -10.0 * torch.log10(torch.cat(errors).double())
    return float(psnr_db_M.clamp_max(ENOUGH_DB).mean())
