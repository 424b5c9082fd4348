"""The only stage of T-DeepSC and RTSC: cross entropy through the channel."""

from __future__ import annotations

from orchestrator.training import losses
from orchestrator.training.data import Batch
from orchestrator.training.stage import Losses, Prepare, Stage
from orchestrator.training.training_link import Conditions
from orchestrator.training.vit.link import VitLink
from orchestrator.training.vit.settings import VitSettings
from semcom.points import ChannelSettings


class VitStage(Stage):
    """A link end to end: one SNR per image, one channel model per batch."""

    name = "vit"
    uses_views = False

    def __init__(self, prepare: Prepare, link: VitLink, settings: VitSettings) -> None:
        super().__init__(prepare)
        self.link = link
        self._settings = settings

    def forward(self, batch: Batch) -> Losses:
        """CE on what was received; of indices the two distances to the codebook, too."""
        output = self.link(self.prepare(batch.images_BSS3), self.conditions(batch))
        terms = losses.task(output.logits_BT, self.labels(batch))
        if output.commitment is not None and output.codebook is not None:
            terms["commitment"] = self._settings.commitment * output.commitment
            terms["codebook"] = output.codebook
        return terms

    def finish(self) -> None:
        """Both ends have one codebook."""
        self.link.copy_codebook()

    def conditions(self, batch: Batch) -> Conditions:
        """Draw what a batch meets."""
        low, high = self._settings.snr_db_low, self._settings.snr_db_high
        models = self._settings.channels
        return Conditions(
            snr_db_B=low + (high - low) * batch.uniform("snr"),
            channel=ChannelSettings(model=models[batch.choice(len(models), "model")]),
            key=batch.key,
            first=batch.first,
        )
