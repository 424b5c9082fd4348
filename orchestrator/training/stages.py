"""The training stages and their losses: Algorithm 2 and the JSCC baselines.

Shape legend: B batch, S image size, D feature width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orchestrator.training import losses
from orchestrator.training.data import Batch, EpochKey
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.settings import DistillationSettings, TeacherSettings
from orchestrator.training.stage import Losses, Prepare, Stage
from orchestrator.training.teacher import Teacher
from orchestrator.training.training_link import Conditions, LinkOutput, TrainingLink
from semcom.points import ChannelSettings


class TeacherStage(Stage):
    """Cross entropy with the teacher's own head."""

    name = "teacher"
    uses_views = False

    def __init__(self, prepare: Prepare, teacher: Teacher, settings: TeacherSettings) -> None:
        super().__init__(prepare)
        self.teacher = teacher
        self._settings = settings
        if not settings.fine_tune:
            teacher.encoder.requires_grad_(False)

    def start_epoch(self, key: EpochKey) -> None:
        """Keep the statistics of a frozen encoder."""
        super().start_epoch(key)
        self.teacher.encoder.train(self._settings.fine_tune)

    def forward(self, batch: Batch) -> Losses:
        """Return the cross entropy with label smoothing."""
        images = self.prepare(batch.images_BSS3)
        if self._settings.cutout:
            images = cut_out(images, self._settings.cutout, batch)
        _, logits_BT = self.teacher(images)
        smoothing = self._settings.label_smoothing
        return losses.task(logits_BT, self.labels(batch), label_smoothing=smoothing)


class EncoderStage(Stage):
    """Stage 1: the student's feature follows the teacher's, eq. (25)."""

    name = "stage1"

    def __init__(self, prepare: Prepare, link: TrainingLink, features: TeacherFeatures) -> None:
        super().__init__(prepare)
        self.encoder = link.transmitter.encoder
        self._features = features

    def forward(self, batch: Batch) -> Losses:
        """MSE(h_T, h)."""
        student_BD = self.encoder(self.prepare(batch.images_BSS3))
        return losses.feature_distillation(_of(self._features, batch, student_BD), student_BD)


class HeadStage(Stage):
    """Stage 1.5: the task head is trained with the frozen student."""

    name = "head"
    uses_views = False

    def __init__(self, prepare: Prepare, link: TrainingLink) -> None:
        super().__init__(prepare)
        self.head = link.receiver.head
        self._frozen = (link.transmitter.encoder,)

    def start_epoch(self, key: EpochKey) -> None:
        """Keep the statistics of the student's batch norms."""
        super().start_epoch(key)
        self._frozen[0].eval()

    def forward(self, batch: Batch) -> Losses:
        """Return the cross entropy on the noise-free feature."""
        with torch.no_grad():
            features_BD = self._frozen[0](self.prepare(batch.images_BSS3))
        return losses.task(self.head(features_BD), self.labels(batch))


class ThroughChannel(Stage):
    """A link trained through the channel: one SNR per image, one channel model per batch."""

    def __init__(
        self, prepare: Prepare, link: TrainingLink, settings: DistillationSettings
    ) -> None:
        super().__init__(prepare)
        self.link = link
        self._settings = settings

    def send(self, batch: Batch) -> LinkOutput:
        """Send the batch through the channel drawn by the step's key."""
        output: LinkOutput = self.link(self.prepare(batch.images_BSS3), self.conditions(batch))
        return output

    def conditions(self, batch: Batch) -> Conditions:
        """Draw the conditions of a batch."""
        low, high = self._settings.snr_db_low, self._settings.snr_db_high
        models, increments = self._settings.channels, self.link.increments
        return Conditions(
            snr_db_B=low + (high - low) * batch.uniform("snr") ** self._settings.snr_skew,
            channel=ChannelSettings(
                model=models[batch.choice(len(models), "model")],
                rician_k=self._settings.rician_k,
                equalizer=self._settings.equalizer,
            ),
            key=batch.key,
            first=batch.first,
            come_B=(batch.uniform("increments") * increments).long() if increments else None,
        )


class LinkStage(ThroughChannel):
    """Stage 2: trains encoder, channel codec and head through the channel, eq. (26)-(27)."""

    name = "stage2"

    def __init__(
        self,
        prepare: Prepare,
        link: TrainingLink,
        settings: DistillationSettings,
        features: TeacherFeatures,
    ) -> None:
        super().__init__(prepare, link, settings)
        self._features = features
        self._is_frozen = settings.frozen_encoder
        if self._is_frozen:
            link.transmitter.encoder.requires_grad_(False)

    def start_epoch(self, key: EpochKey) -> None:
        """Keep the statistics of a frozen encoder."""
        super().start_epoch(key)
        self.link.transmitter.encoder.train(not self._is_frozen)

    def forward(self, batch: Batch) -> Losses:
        """Return the terms of eq. (26), and that of logits; a frozen encoder is its own teacher."""
        if self._is_frozen:
            teacher_BD = _of(self._features, batch, next(self.link.receiver.head.parameters()))
            output = self.link.send(teacher_BD, self.conditions(batch))
        else:
            output = self.send(batch)
            teacher_BD = _of(self._features, batch, output.recovered_BD)
        found = losses.joint(output, teacher_BD, self.labels(batch), self._settings)
        if self._settings.logit_weight:
            with torch.no_grad():
                clean_BT = self.link.receiver.head(output.features_BD)
            found |= losses.logit_distillation(output, clean_BT, self._settings)
        return found


class JsccStage(ThroughChannel):
    """The baselines: a link end to end through the channel, without a teacher's feature."""

    name = "jscc"
    uses_views = False

    def __init__(
        self,
        prepare: Prepare,
        link: TrainingLink,
        settings: DistillationSettings,
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(prepare, link, settings)
        self._frozen = frozen
        if frozen:
            link.transmitter.encoder.requires_grad_(False)

    def start_epoch(self, key: EpochKey) -> None:
        """Keep the statistics of a frozen encoder."""
        super().start_epoch(key)
        self.link.transmitter.encoder.train(not self._frozen)

    def forward(self, batch: Batch) -> Losses:
        """Return the cross entropy on the received feature."""
        return losses.task(self.send(batch).logits_BT, self.labels(batch))


def cut_out(images_B3SS: Tensor, side: int, batch: Batch) -> Tensor:
    """Set one square of each image to the mean colour (0 after normalisation)."""
    size = images_B3SS.shape[-1]
    places = torch.arange(size)

    def outside(purpose: str) -> Tensor:
        first_B1 = (batch.uniform(purpose) * (size - side + 1)).floor().unsqueeze(1)
        return (places < first_B1) | (places >= first_B1 + side)

    kept_BSS = outside("cut-row").unsqueeze(2) | outside("cut-column").unsqueeze(1)
    return images_B3SS * kept_BSS.unsqueeze(1).to(images_B3SS.device)


def _of(features: TeacherFeatures, batch: Batch, like_BD: Tensor) -> Tensor:
    return features.of(batch).to(like_BD.device, non_blocking=True)
