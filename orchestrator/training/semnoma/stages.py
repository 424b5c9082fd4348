"""What each stage of the family `semnoma` trains.

    teacher, oma   each user alone; semnoma   superposed users
    kd_semnoma     superposed users who follow the teacher, which sees the same draws

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
ENOUGH_DB = 100.0  # of a PSNR that counts


@dataclass(frozen=True)
class Conditions:
    """What a stage trains under, and the images it is validated on."""

    channels: tuple[SlotChannel, ...]
    losses: LossSettings
    held_out: ImageSet
    patience: int | None = None


@dataclass(frozen=True)
class Sent:
    """A batch as slots: images_UN3HW of 0..1, the draw, and each slot's SNR in dB."""

    images_UN3HW: Tensor
    draw: SlotDraw
    snr_db_N: Tensor


class SlotStage(Stage):
    """One link through slots: an image of each user, one SNR a slot, one channel model a batch.

    Adjacent images of a batch share a slot, so that ranks form the slots that one rank forms.
    """

    uses_views = False

    def __init__(
        self, name: StageName, prepare: Prepare, link: SlotLink, conditions: Conditions
    ) -> None:
        super().__init__(prepare, name)
        self.drawn_as = "slots"  # students and teachers of one seed see the same slots
        self.link = link
        self.validated_db: float | None = None
        self._conditions = conditions
        self._best: dict[str, Tensor] | None = None
        self._epochs_since = 0

    def forward(self, batch: Batch) -> Losses:
        """The error of the pixels."""
        sent = self.send(batch)
        output = self._through(self.link, sent)
        return losses.recovery(output.pixels_UN3HW, sent.images_UN3HW, self._conditions.losses)

    def send(self, batch: Batch) -> Sent:
        """Form the slots of a batch and draw their channel."""
        users, (low, high) = self.link.users, self.link.architecture.snr_db
        models = self._conditions.channels
        images = self.prepare(batch.images_BSS3)
        slots = Slots(batch.key, batch.first // users, len(images) // users, users)
        draw = draw_slots(
            slots,
            models[batch.choice(len(models), "model")],
            symbols=self.link.architecture.symbols,
            own_noise=self._has_own_noise,
        )
        snr_db_N = low + (high - low) * batch.uniform("snr")[::users]
        slotted = torch.stack([images[user::users] for user in range(users)])
        return Sent(slotted, draw, snr_db_N.to(images.device))

    @property
    def _has_own_noise(self) -> bool:
        """Orthogonal users have parts of the slot of their own; a teacher sees the slot's noise."""
        return self.name == "oma"

    def _through(self, link: SlotLink, sent: Sent) -> SlotOutput:
        output: SlotOutput = link(sent.images_UN3HW, sent.draw, sent.snr_db_N)
        return output

    @torch.no_grad()
    def validate(self) -> float:
        """Return the mean PSNR in dB of the held-out images, under the same draws every time."""
        errors = []
        for batch in self._validation():
            sent = self.send(batch)
            pixels = self._through(self.link, sent).pixels_UN3HW.float().clamp(0.0, 1.0)
            errors.append((pixels - sent.images_UN3HW).square().mean(dim=(2, 3, 4)).flatten())
        psnr_db = -10.0 * torch.log10(torch.cat(errors).double())
        return float(psnr_db.clamp_max(ENOUGH_DB).mean())

    def _validation(self) -> Iterator[Batch]:
        held_out, users = self._conditions.held_out, self.link.users
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

    def end_epoch(self, key: EpochKey, means: dict[str, float]) -> None:
        """With patience: see whether the epoch has bettered the link."""
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
        """Whether patience has run out."""
        patience = self._conditions.patience
        return patience is not None and self._epochs_since >= patience

    def finish(self) -> None:
        """Take the best weights, where they were looked for; say what the link reaches."""
        if self._best is not None:
            self.link.load_state_dict(self._best)
        self.validated_db = self.validate()

    def extra(self) -> dict[str, Any]:
        """State of the patience."""
        if self._best is None:
            return {}
        return {"best": self._best, "validated": self.validated_db, "since": self._epochs_since}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Take it back."""
        if state:
            self._best = state["best"]
            self.validated_db, self._epochs_since = state["validated"], state["since"]


class DistillationStage(SlotStage):
    """Superposed users who follow a teacher: the loss has three terms.

    The teacher is no part of the stage: it is neither trained nor saved with it.
    """

    def __init__(
        self, prepare: Prepare, link: SlotLink, conditions: Conditions, teacher: SlotLink
    ) -> None:
        super().__init__("kd_semnoma", prepare, link, conditions)
        self._frozen = (teacher.eval().requires_grad_(False),)

    def forward(self, batch: Batch) -> Losses:
        """Pixels, affinity of received features, and the teacher's tail on the student's maps."""
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
