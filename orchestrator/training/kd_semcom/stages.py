"""The stages of a codec of sentences, trained by cross entropy, or students by eq. (28)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from orchestrator.training.data import EpochKey
from orchestrator.training.kd_semcom import losses
from orchestrator.training.kd_semcom.channel import draw
from orchestrator.training.kd_semcom.link import TextLink
from orchestrator.training.kd_semcom.settings import (
    DistillationTerms,
    SentenceStage,
    TextChannelSettings,
)
from orchestrator.training.stage import Losses, Stage


class PlainStage(Stage):
    """A link end to end through the channel: the teacher, the baselines, DeepSC."""

    def __init__(self, name: SentenceStage, link: TextLink, channel: TextChannelSettings) -> None:
        super().__init__(_as_they_are, name)
        self.link = link
        self._channel = channel

    def forward(self, batch: Any) -> Losses:
        """Return the cross entropy of the logits, with teacher forcing."""
        device = next(self.link.parameters()).device
        tokens_BT = batch.tokens_BT.to(device, non_blocking=True)
        output = self.link(tokens_BT, draw(batch, self._channel, device))
        return losses.cross_entropy(output, tokens_BT)


class StudentStage(Stage):
    """A student follows a frozen teacher, which has the same channel draws."""

    def __init__(
        self,
        link: TextLink,
        teacher: TextLink,
        channel: TextChannelSettings,
        terms: DistillationTerms,
    ) -> None:
        super().__init__(_as_they_are, "student")
        self.link = link
        self._teacher = (teacher,)  # not trained, so not registered
        self._channel = channel
        self._terms = terms

    def start_epoch(self, key: EpochKey) -> None:
        """Set training mode, but no dropout in the teacher."""
        super().start_epoch(key)
        self._teacher[0].eval().requires_grad_(False)

    def forward(self, batch: Any) -> Losses:
        """Return the terms of eq. (28)."""
        device = next(self.link.parameters()).device
        tokens_BT = batch.tokens_BT.to(device, non_blocking=True)
        drawn = draw(batch, self._channel, device)
        with torch.no_grad():
            taught = self._teacher[0](tokens_BT, drawn)
        return losses.distillation(self.link(tokens_BT, drawn), taught, tokens_BT, self._terms)


def _as_they_are(tokens: Tensor) -> Tensor:
    return tokens
