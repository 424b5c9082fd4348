"""A teacher on a frozen backbone: what the backbone gives of the images is computed once.

    images -> backbone of timm, frozen -> pooled (B, P), kept on disk -> last layer -> h_T (B, D)

Only the last layer and the head are trained; students follow h_T, which is computed of the same
kept outputs.

Shape legend: N images of the set, B batch, P pooled outputs, D feature width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from orchestrator.training import losses
from orchestrator.training.data import Batch, EpochKey, Rank
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.settings import TeacherSettings
from orchestrator.training.stage import Losses, Prepare, Stage
from orchestrator.training.teacher import Teacher
from orchestrator.training.whitening import fit_feature_whitening


class Backbone(nn.Module):
    """A model of timm without its last layer: prepared images -> pooled outputs (B, P)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_B3SS: Tensor) -> Tensor:
        """Prepared images -> (B, P)."""
        model: Any = self.model
        pooled: Tensor = model.forward_head(model.forward_features(images_B3SS), pre_logits=True)
        return pooled


def last_layer(model: nn.Module) -> nn.Module:
    """Return the layer of a model of timm that gives the feature."""
    return cast(nn.Module, model.get_classifier())  # type: ignore[operator]


class BackboneTeacherStage(Stage):
    """Cross entropy on the teacher's own head; the backbone's outputs are looked up."""

    name = "teacher"

    def __init__(
        self, prepare: Prepare, teacher: Teacher, pooled: TeacherFeatures, settings: TeacherSettings
    ) -> None:
        super().__init__(prepare)
        self.teacher = teacher
        self._pooled = pooled
        self._smoothing = settings.label_smoothing
        teacher.encoder.requires_grad_(False)
        last_layer(teacher.encoder).requires_grad_(True)

    def start_epoch(self, key: EpochKey) -> None:
        """A frozen backbone keeps its statistics too."""
        super().start_epoch(key)
        self.teacher.encoder.eval()

    def forward(self, batch: Batch) -> Losses:
        """CE with label smoothing."""
        pooled_BP = self._pooled.of(batch).to(self.teacher.head.weight.device)
        logits_BT = self.teacher.head(last_layer(self.teacher.encoder)(pooled_BP))
        return losses.task(logits_BT, self.labels(batch), label_smoothing=self._smoothing)


class ProjectedFeatures(TeacherFeatures):
    """The features of such a teacher, computed of the outputs that are kept of its backbone.

    The whitening is that of the first images of the first view.
    """

    def __init__(self, teacher: Teacher, pooled: TeacherFeatures, **settings: Any) -> None:
        super().__init__(teacher.encoder, **settings)
        self._pooled = pooled

    def _fit(
        self, sample: int, variance_share: float, rank: Rank, report: Callable[[int], None]
    ) -> dict[str, Tensor]:
        del rank, report  # it takes no time
        features_ND = self._projected(self._pooled.kept(0)[:sample])
        return fit_feature_whitening(features_ND, variance_share).tensors()

    def _compute_view(
        self, view: int, rank: Rank, report: Callable[[int], None]
    ) -> dict[str, Tensor]:
        del rank, report
        return {"features": self._projected(self._pooled.kept(view)).half()}

    @torch.no_grad()
    def _projected(self, pooled_NP: Tensor) -> Tensor:
        layer = last_layer(self._encoder)
        device = next(layer.parameters()).device
        features_ND: Tensor = layer(pooled_NP.float().to(device))
        return features_ND.float().cpu()
