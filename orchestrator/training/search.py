"""KDL-DARTS, section III-A, Algorithm 1: selects the depth of each stage of the encoder.

Bilevel, first order (eq. 19 and 21): before each step of the weights on one half of the images,
alpha takes a step on the other half. Plain DARTS is the same code without teacher and penalty.

Shape legend: B batch, L stages, K depths.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from orchestrator.training import losses
from orchestrator.training.data import Batch, Epoch, EpochKey, ImageSet, Rank, keyed_generator
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.ranks import average
from orchestrator.training.settings import AugmentationSettings, SearchSettings, StageSettings
from orchestrator.training.stage import Losses, Prepare, Stage
from orchestrator.training.supernet import (
    Supernet,
    penalty_factors,
    select_depths,
)
from semcom.architecture import Depths, EncoderArchitecture, parameters_of, stage_parameters

VALIDATION_IMAGES = 5000


@dataclass(frozen=True)
class SearchContext:
    """Inputs of a search besides its settings; `held_out` are the images of alpha."""

    held_out: ImageSet
    augmentation: AugmentationSettings
    schedule: StageSettings
    rank: Rank
    bf16: bool
    features: TeacherFeatures | None
    seed: int


class SearchStage(Stage):
    """The loop trains the weights; alpha takes a step before each of its steps."""

    name = "search"

    def __init__(
        self,
        prepare: Prepare,
        architecture: EncoderArchitecture,
        settings: SearchSettings,
        *,
        classes: int,
        context: SearchContext,
    ) -> None:
        super().__init__(prepare)
        self.supernet = Supernet(architecture, classes=classes, temperature=settings.temperature)
        self.supernet.alpha_LK.requires_grad_(False)  # not updated by the loop's optimiser
        self._settings = settings
        self._context = context
        self.drawn_as = f"search-{context.seed}"
        self._counts = stage_parameters(architecture)
        self._beta_LK = penalty_factors(architecture, settings.penalty_temperature)
        self._alpha_optimizer = _alpha_optimizer(self.supernet.alpha_LK, settings)
        self._held_out: Epoch | None = None
        self._epoch = 0
        self.history: list[dict[str, Any]] = []

    def forward(self, batch: Batch) -> Losses:
        """0.5 MSE(h_T, h) + 0.5 CE for KDL-DARTS, CE alone for DARTS."""
        features_BD, logits_BT = self.supernet(self.prepare(batch.images_BSS3))
        task = losses.task(logits_BT, self.labels(batch))["task"]
        if self._context.features is None:
            return {"task": task}
        teacher_BD = self._context.features.of(batch).to(features_BD.device)
        distilled = losses.feature_distillation(teacher_BD, features_BD)["kd"]
        settings = self._settings
        return {"kd": settings.kd_weight * distilled, "task": settings.task_weight * task}

    def start_epoch(self, key: EpochKey) -> None:
        """Order the other half of the images for this epoch."""
        super().start_epoch(key)
        self._epoch = key.epoch
        self._held_out = Epoch(
            self._context.held_out,
            self._context.augmentation,
            key=EpochKey(key.seed, f"{key.stage}-alpha", key.epoch),
            batch=self._context.schedule.batch,
            views=True,
            rank=self._context.rank,
        )

    def before_step(self, step: int, share: float) -> None:
        """Take a step of alpha, eq. (19), with fixed weights; none while alpha is frozen."""
        assert self._held_out is not None
        if self._epoch < (self._settings.warmup_epochs or 0):
            return
        alpha_LK = self.supernet.alpha_LK
        weights = self.supernet.weights()
        _require_grad(weights, False)
        alpha_LK.requires_grad_(True)
        device = alpha_LK.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._context.bf16):
            terms = self(self._held_out[step % len(self._held_out)])
        loss = torch.stack(list(terms.values())).sum()
        if self._penalized:
            loss = loss + self._settings.penalty_weight * self._penalty()
        (gradient_LK,) = torch.autograd.grad(loss, alpha_LK)
        average([gradient_LK], self._context.rank)
        alpha_LK.requires_grad_(False)
        _require_grad(weights, True)
        alpha_LK.grad = gradient_LK
        self._set_alpha_rate(share)
        self._alpha_optimizer.step()
        alpha_LK.grad = None

    def end_epoch(self, key: EpochKey, means: dict[str, float]) -> None:
        """Record alpha."""
        depths = self.depths()
        self.history.append(
            {
                "epoch": key.epoch,
                "alpha": _rounded(self.supernet.alpha_LK),
                "probabilities": _rounded(self.supernet.probabilities()),
                "depths": list(depths),
                "parameters": parameters_of(depths, self._counts),
                "validation_accuracy": self.validation_accuracy(),
                "losses": means,
            }
        )

    def depths(self) -> Depths:
        """Return the maximum of weights x (1 - beta) per stage; of alpha alone for plain DARTS."""
        if not self._penalized:
            return select_depths(self.supernet.alpha_LK.detach().cpu())
        chosen_LK = (
            self.supernet.alpha_LK
            if self._settings.selection == "alpha"
            else self.supernet.probabilities()
        )
        return select_depths(chosen_LK.detach().cpu() * (1.0 - self._beta_LK))

    def extra(self) -> dict[str, Any]:
        """Return alpha's optimiser state and the history."""
        return {"alpha": self._alpha_optimizer.state_dict(), "history": json.dumps(self.history)}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self._alpha_optimizer.load_state_dict(state["alpha"])
        self.history = json.loads(state["history"])

    @torch.no_grad()
    def validation_accuracy(self, batch: int = 500) -> float:
        """Return the supernet's accuracy, 0..1, on held-out images without augmentation."""
        images = self._context.held_out
        members = images.members_M[:VALIDATION_IMAGES]
        self.eval()
        right = 0
        for first in range(0, len(members), batch):
            chosen = members[first : first + batch]
            prepared = self.prepare(images.images_NSS3[chosen])
            with torch.autocast(
                prepared.device.type, dtype=torch.bfloat16, enabled=self._context.bf16
            ):
                predicted_B = self.supernet(prepared)[1].argmax(dim=1).cpu()
            right += int((predicted_B == images.labels_N[chosen]).sum())
        self.train()
        return right / len(members)

    @property
    def _penalized(self) -> bool:
        return self._settings.method == "kdl-darts"

    def _penalty(self) -> Tensor:
        """Return sum_l sum_j beta alpha, eq. (18), or with the softmax weights if so set."""
        supernet = self.supernet
        raw = self._settings.penalized == "alpha"
        penalized_LK = supernet.alpha_LK if raw else supernet.probabilities()
        return (self._beta_LK.to(penalized_LK.device) * penalized_LK).sum()

    def _set_alpha_rate(self, share: float) -> None:
        """Set the learning rate after `share` (0..1) of all steps."""
        settings = self._settings
        if settings.lr_end is None:
            return
        cosine = 0.5 * (1.0 + math.cos(math.pi * share))
        for group in self._alpha_optimizer.param_groups:
            group["lr"] = settings.lr_end + (settings.lr - settings.lr_end) * cosine


def halves(images: ImageSet, settings: SearchSettings, seed: int) -> tuple[ImageSet, ImageSet]:
    """Return (images for the weights, images for alpha), split at random by the seed."""
    generator = keyed_generator(f"{seed}/search/halves")
    order_M = images.members_M[torch.randperm(len(images), generator=generator)]
    order_M = order_M[: settings.images]
    count = round(len(order_M) * settings.held_out)
    return images.part(order_M[count:]), images.part(order_M[:count])


def search_record(
    stage: SearchStage, *, dataset: str, method: str, seed: int, settings: str
) -> bytes:
    """Return `search.json`: history and selection; `settings` is a digest of the settings."""
    last = stage.history[-1]
    record = {
        "dataset": dataset,
        "method": method,
        "seed": seed,
        "settings": settings,
        "epochs": stage.history,
        "depths": last["depths"],
        "parameters": last["parameters"],
        "validation_accuracy": last["validation_accuracy"],
    }
    return json.dumps(record, indent=1).encode()


def _alpha_optimizer(alpha_LK: nn.Parameter, settings: SearchSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(
            [alpha_LK], lr=settings.lr, betas=(0.5, 0.999), weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        [alpha_LK], lr=settings.lr, momentum=0.9, weight_decay=settings.weight_decay
    )


def _require_grad(parameters: list[nn.Parameter], needed: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(needed)


def _rounded(values_LK: Tensor) -> list[list[float]]:
    return [[round(value, 6) for value in row] for row in values_LK.detach().cpu().tolist()]
