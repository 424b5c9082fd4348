"""The training stages of the family `semnoma`.

    teacher, oma   each user alone; semnoma   superposed users
    kd_semnoma     superposed users who follow the teacher, which has the same draws

Shape legend: B images of a batch, U users, N = B / U slots, S image size, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestrator.training.data import Batch, EpochKey, ImageSet
from orchestrator.training.semnoma import losses
from orchestrator.training.semnoma.link import SlotLink, SlotOutput, by_user
from orchestrator.training.semnoma.settings import LossSettings, SlotChannel, StageName
from orchestrator.training.semnoma.slots import SlotDraw, Slots, draw_slots
from orchestrator.training.stage import Losses, Prepare, Stage

VALIDATION_BATCH = 128
ENOUGH_DB = 100.0  # smallest PSNR gain that counts


@dataclass(frozen=True)
class Conditions:
    """The conditions under which a stage trains, and the images on which it is validated."""

    channels: tuple[SlotChannel, ...]
    losses: LossSettings
    held_out: ImageSet
    patience: int | None = None


@dataclass(frozen=True)
class Sent:
    """A batch in slots: images_UN3HW of 0..1, the draw, and each slot's SNR in dB."""

    images_UN3HW: Tensor
    draw: SlotDraw
    snr_db_N: Tensor


def slots_of_batch(
    batch: Batch,
    images_B3HW: Tensor,
    link: SlotLink,
    channels: tuple[SlotChannel, ...],
    *,
    own_noise: bool = False,
) -> Sent:
    """Arrange a batch's pixels in slots, and draw their channel."""
    users, (low, high) = link.users, link.architecture.snr_db
    slots = Slots(batch.key, batch.first // users, len(images_B3HW) // users, users)
    draw = draw_slots(
        slots,
        channels[batch.choice(len(channels), "model")],
        symbols=link.architecture.symbols,
        own_noise=own_noise,
    )
    snr_db_N = low + (high - low) * batch.uniform("snr")[::users]
    slotted = torch.stack([images_B3HW[user::users] for user in range(users)])
    return Sent(slotted, draw, snr_db_N.to(images_B3HW.device))


def validation_batches(held_out: ImageSet, users: int) -> Iterator[Batch]:
    """Yield the held-out images in whole slots, with the same keys every time."""
    whole = len(held_out) // users * users
    size = VALIDATION_BATCH // users * users
    for first in range(0, whole, size):
        chosen = held_out.members_M[first : min(first + size, whole)]
        yield Batch(
            images_BSS3=held_out.images_NSS3[chosen],
            labels_B=held_out.labels_N[chosen],
            index_B=chosen,
            view=None,
            first=0,
            total=len(chosen),
            key=f"validation/{first}",
        )


class SlotStage(Stage):
    """A link in slots: an image of each user and one SNR per slot, and one channel model per batch.

    Adjacent images of a batch share a slot, so that several ranks form the same slots as one.
    """

    uses_views = False

    def __init__(
        self, name: StageName, prepare: Prepare, link: SlotLink, conditions: Conditions
    ) -> None:
        super().__init__(prepare, name)
        self.drawn_as = "slots"  # students and teachers with one seed have the same slots
        self.link = link
        self.validated_db: float | None = None
        self._conditions = conditions
        self._best: dict[str, Tensor] | None = None
        self._epochs_since = 0

    def forward(self, batch: Batch) -> Losses:
        """Return the error of the pixels."""
        sent = self.send(batch)
        output = self._through(self.link, sent)
        return losses.recovery(output.pixels_UN3HW, sent.images_UN3HW, self._conditions.losses)

    def send(self, batch: Batch) -> Sent:
        """Arrange a batch in slots, and draw their channel."""
        images, channels = self.prepare(batch.images_BSS3), self._conditions.channels
        return slots_of_batch(batch, images, self.link, channels, own_noise=self._has_own_noise)

    @property
    def _has_own_noise(self) -> bool:
        """Orthogonal users have separate parts of the slot; a teacher has the slot's noise."""
        return self.name == "oma"

    def _through(self, link: SlotLink, sent: Sent) -> SlotOutput:
        output: SlotOutput = link(sent.images_UN3HW, sent.draw, sent.snr_db_N)
        return output

    @torch.no_grad()
    def validate(self) -> float:
        """Return the mean PSNR in dB of the held-out images, with the same draws every time."""
        errors = []
        for batch in validation_batches(self._conditions.held_out, self.link.users):
            sent = self.send(batch)
            pixels = self._through(self.link, sent).pixels_UN3HW.float().clamp(0.0, 1.0)
            errors.append((pixels - sent.images_UN3HW).square().mean(dim=(2, 3, 4)).flatten())
        psnr_db = -10.0 * torch.log10(torch.cat(errors).double())
        return float(psnr_db.clamp_max(ENOUGH_DB).mean())

    def end_epoch(self, key: EpochKey, means: dict[str, float]) -> None:
        """With patience: check whether the epoch has improved the link."""
        del key, means
        if self._conditions.patience is None:
            return
        reached = self.validate()
        self._epochs_since += 1
        if self.validated_db is None or reached > self.validated_db:
            self.validated_db, self._epochs_since = reached, 0
            state = self.link.state_dict()
            self._best = {name: value.detach().clone() for name, value in state.items()}

    @property
    def is_content(self) -> bool:
        """Return whether patience has run out."""
        patience = self._conditions.patience
        return patience is not None and self._epochs_since >= patience

    def finish(self) -> None:
        """Restore the best weights, if they were tracked; report the results."""
        if self._best is not None:
            self.link.load_state_dict(self._best)
        self.validated_db = self.validate()

    def extra(self) -> dict[str, Any]:
        """Return the state of the patience."""
        if self._best is None:
            return {}
        return {"best": self._best, "validated": self.validated_db, "since": self._epochs_since}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Restore it."""
        if state:
            self._best = state["best"]
            self.validated_db, self._epochs_since = state["validated"], state["since"]


class DistillationStage(SlotStage):
    """Superposed users who follow a teacher, with three loss terms.

    The teacher is not part of the stage: it is neither trained nor saved with it.
    """

    def __init__(
        self, prepare: Prepare, link: SlotLink, conditions: Conditions, teacher: SlotLink
    ) -> None:
        super().__init__("kd_semnoma", prepare, link, conditions)
        self._frozen = (teacher.eval().requires_grad_(False),)

    def forward(self, batch: Batch) -> Losses:
        """Return the terms of pixels, affinities, and the teacher's tail on the student's maps."""
        (teacher,), weights = self._frozen, self._conditions.losses
        sent = self.send(batch)
        student = self._through(self.link, sent)
        terms = losses.recovery(student.pixels_UN3HW, sent.images_UN3HW, weights)
        if not weights.is_distilled:
            return terms
        with torch.no_grad():
            taught = self._through(teacher, sent)
        terms |= losses.affinity_distillation(
            student.features_UNChw, taught.features_UNChw, weights
        )
        if weights.cross_weight > 0:
            middle, side = student.middle_UNDhw.flatten(0, 1), taught.side_UNS.flatten(0, 1)
            through = by_user(teacher.decoders[0].tail(middle, side), self.link.users)  # type: ignore[operator]
            terms |= losses.cross_head(through, taught.pixels_UN3HW, weights)
        return terms
