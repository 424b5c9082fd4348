"""From images to a trained slot or link: the stages of a system in order, each an artefact.

kd-semnoma        teacher -> kd_semnoma
semnoma           semnoma
semnoma-teacher   teacher
oma               oma
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.data import ImageSet, keyed_generator
from orchestrator.training.loop import Run, Training
from orchestrator.training.semnoma.link import SlotLink, start_from_teacher
from orchestrator.training.semnoma.settings import (
    SYSTEM_STAGES,
    SemnomaSettings,
    StageName,
)
from orchestrator.training.semnoma.stages import Conditions, DistillationStage, SlotStage
from orchestrator.training.stage_identity import AUGMENTATION, SCHEDULE
from orchestrator.training.stage_runs import have_result, placed, seeded
from semcom.errors import ConfigurationError
from semcom.families.semnoma import SemnomaArchitecture
from semcom.identity import content, fields

# Frozen, as in stage_identity: a setting added later renames no existing artefact.
ARCHITECTURE = fields(
    "item", "users", "channels", "widths", "blocks", "attention", "fusion", "csi", "snr_db"
)
RECOVERY, DISTILLED = fields("image", "image_weight"), fields("affinity_weight", "cross_weight")
VALIDATION = "validation.json"
Told = Callable[[StageName, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class SemnomaTrained:
    """The result of a pipeline: the link of the last stage."""

    settings: SemnomaSettings
    images: ImageSet
    link: SlotLink
    stages: dict[StageName, Artefact]
    validated_db: dict[StageName, float]


class SemnomaPipeline:
    """The stages of a job; `images` are the training images only."""

    def __init__(self, settings: SemnomaSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        everything = ImageSet(settings.dataset_dir, "train", settings.images)
        self.images, self.held_out = split(everything, settings.held_out)
        self.given: Mapping[str, Any] = {}  # no stage of this family is taken from a codec
        self.stages: dict[StageName, Artefact] = {}
        self._validated_db: dict[StageName, float] = {}
        self._teacher: SlotLink | None = None

    def train(self, told: Told, until: str | None = None) -> SemnomaTrained | None:
        """Run the remaining stages; with `until`, end after that stage and return nothing.

        Raises:
            ConfigurationError: no such stage, or too few images for a step of one.
            StoppedError: it was asked to stop, and has saved.
        """
        names = SYSTEM_STAGES[self.settings.system]
        if until is not None and until not in names:
            raise ConfigurationError(f"no stage '{until}' here; available: {', '.join(names)}")
        for name in names:
            self._check_images(name)
        link: SlotLink | None = None
        for name in names:
            link, ran = self._ensure(name)
            told(name, ran)
            if name == until:
                return None
        assert link is not None
        return SemnomaTrained(self.settings, self.images, link, self.stages, self._validated_db)

    def _ensure(self, name: StageName) -> tuple[SlotLink, bool]:
        """Return a stage's link, and whether it was trained now."""
        made = artefact(
            self.settings.work_dir / "artefacts" / self.settings.dataset,
            name,
            self._identity(name),
        )
        self.stages[name] = made
        stage = self._make_stage(name)

        def train() -> None:
            Training(
                stage,
                self.images,
                settings=self.settings.stages[name],
                augmentation=self.settings.augmentation,
                artefact=made,
                run=self.run,
            ).run()
            if self.run.rank.index == 0:
                made.write(VALIDATION, json.dumps({"psnr_db": stage.validated_db}).encode())

        ran = have_result(stage, made, self.run, train=train)
        stage.eval()
        self._validated_db[name] = float(made.read_json(VALIDATION)["psnr_db"])
        if name == "teacher":
            self._teacher = stage.link
        return stage.link, ran

    def _make_stage(self, name: StageName) -> SlotStage:
        settings = self.settings
        users = settings.architecture.users
        with seeded(f"{settings.seed}/semnoma/{name}/start"):
            link = SlotLink(architecture_of(name, settings), users=users)
        conditions = Conditions(
            settings.channels, settings.losses, self.held_out, settings.patience
        )
        if name != "kd_semnoma":
            return SlotStage(name, self._prepare, placed(link, self.run.device), conditions)
        assert self._teacher is not None
        start_from_teacher(link, self._teacher.cpu())
        teacher = placed(self._teacher, self.run.device)
        return DistillationStage(self._prepare, placed(link, self.run.device), conditions, teacher)

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        return pixels_of(images_BSS3.to(self.run.device, non_blocking=True))

    def _check_images(self, name: StageName) -> None:
        batch, there = self.settings.stages[name].batch, len(self.images)
        if there < batch or len(self.held_out) < self.settings.architecture.users:
            raise ConfigurationError(
                f"stages.{name}.batch: a step takes {batch} images, but there are only "
                f"{there} besides "
                f"{len(self.held_out)} held out"
            )

    def _identity(self, name: StageName) -> dict[str, Any]:
        """Return everything that determines the result of a stage."""
        settings = self.settings
        augmentation = content(settings.augmentation, AUGMENTATION)
        augmentation.pop("views")
        decides: dict[str, Any] = {
            "family": "semnoma",
            "data": self.images.digest,
            "images": [len(self.images), len(self.held_out)],
            "seed": settings.seed,
            "precision": "bf16" if self.run.bf16 else "fp32",
            "augmentation": augmentation,
            "architecture": content(architecture_of(name, settings), ARCHITECTURE),
            "users": settings.architecture.users,
            "channels": list(settings.channels),
            "schedule": content(settings.stages[name], SCHEDULE),
            "patience": settings.patience,
            "losses": _some(content(settings.losses, RECOVERY), DISTILLED),
        }
        if name == "kd_semnoma":
            decides["losses"] = content(settings.losses, {**RECOVERY, **DISTILLED})
            decides["inputs"] = {"teacher": self.stages["teacher"].digest}
        return decides


def architecture_of(name: StageName, settings: SemnomaSettings) -> SemnomaArchitecture:
    """Return the architecture that a stage trains.

    A teacher is a plain link; with a share of the power, its SNR is reduced accordingly. Orthogonal
    users are plain links with a share of the channels.
    """
    joint = settings.architecture
    match name:
        case "semnoma" | "kd_semnoma":
            return joint
        case "oma":
            return joint.model_copy(update={"users": 1, "channels": joint.channels // joint.users})
        case "teacher":
            lower_db = 0.0
            if settings.teacher_power == "share":
                lower_db = float(10.0 * torch.log10(torch.tensor(float(joint.users))))
            low, high = joint.snr_db
            shifted = (low - lower_db, high - lower_db)
            return joint.model_copy(update={"users": 1, "snr_db": shifted})


def split(images: ImageSet, held_out: float) -> tuple[ImageSet, ImageSet]:
    """Return the training images and the held-out ones, the same for every seed."""
    order_M = torch.randperm(len(images), generator=keyed_generator("semnoma/held-out"))
    kept = round(held_out * len(images))
    return images.part(order_M[kept:].sort().values), images.part(order_M[:kept].sort().values)


def pixels_of(images_BSS3: Tensor) -> Tensor:
    """uint8 (B, S, S, 3) -> 0..1 float32 (B, 3, S, S), channels_last in memory."""
    return images_BSS3.permute(0, 3, 1, 2).to(torch.float32) / 255.0


def _some(covered: dict[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in covered.items() if name not in left_out}
