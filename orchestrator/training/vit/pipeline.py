"""From images to a trained link of the family `vit`: one stage, an artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.loop import Run, Training
from orchestrator.training.stage_identity import SCHEDULE
from orchestrator.training.stage_runs import have_result, placed, seeded
from orchestrator.training.vit.link import VitLink
from orchestrator.training.vit.settings import VitSettings, VitStageName
from orchestrator.training.vit.stages import VitStage
from semcom.errors import ConfigurationError
from semcom.identity import content, fields
from semcom.nn.image_input import prepare_images

STAGE: VitStageName = "vit"
# Frozen, as those of stage_identity: a setting that comes later renames no artefact that is there.
ARCHITECTURE = fields(
    "item", "classes", "link", "patch", "width", "layers", "heads", "inner", "receiver_width",
    "receiver_layers", "receiver_heads", "receiver_inner", input=fields("size", "mean", "std"),
)  # fmt: skip
SETTINGS = ("snr_db_low", "snr_db_high", "channels", "commitment")
Told = Callable[[VitStageName, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class TrainedVit:
    """The result of a pipeline."""

    settings: VitSettings
    images: ImageSet
    link: VitLink
    stages: dict[VitStageName, Artefact]


class VitPipeline:
    """The stage of one job."""

    def __init__(self, settings: VitSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        self.images = ImageSet(settings.dataset_dir, "train", settings.images)
        self.given: Mapping[str, Any] = {}  # no codec gives a stage of this family
        self.stages: dict[VitStageName, Artefact] = {}
        batch = settings.stages[STAGE].batch
        if len(self.images) < batch:
            raise ConfigurationError(
                f"stages.{STAGE}.batch: a step takes {batch} images, but there are only "
                f"{len(self.images)}"
            )

    def train(self, told: Told, until: str | None = None) -> TrainedVit | None:
        """Run what has not run; with `until`, end after that stage and give nothing.

        Raises:
            ConfigurationError: no such stage.
            StoppedError: it was asked to stop, and has saved.
        """
        if until not in (None, STAGE):
            raise ConfigurationError(f"no stage '{until}' here; available: {STAGE}")
        settings = self.settings
        with seeded(f"{settings.seed}/vit/start"):
            link = VitLink(settings.architecture)
        root = settings.work_dir / "artefacts" / settings.dataset
        made = self.stages[STAGE] = artefact(root, STAGE, self._identity())
        stage = VitStage(self._prepare, placed(link, self.run.device), settings)
        training = Training(
            stage,
            self.images,
            settings=settings.stages[STAGE],
            augmentation=settings.augmentation,
            artefact=made,
            run=self.run,
        )
        told(STAGE, have_result(stage, made, self.run, train=training.run))
        stage.eval()
        return None if until else TrainedVit(settings, self.images, link, self.stages)

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        images = images_BSS3.to(self.run.device, non_blocking=True)
        return prepare_images(images, self.settings.architecture.input)

    def _identity(self) -> dict[str, Any]:
        """All that decides what the stage leaves behind."""
        settings = self.settings
        augmentation = settings.augmentation
        architecture = content(settings.architecture, ARCHITECTURE)
        architecture.pop("parameters", None)
        dumped = settings.model_dump(mode="json")
        return {
            "family": "vit",
            "data": self.images.digest,
            "images": len(self.images),
            "seed": settings.seed,
            "precision": "bf16" if self.run.bf16 else "fp32",
            "augmentation": [augmentation.crop_padding, augmentation.flip],
            "architecture": architecture,
            "schedule": content(settings.stages[STAGE], SCHEDULE),
            "link": {name: dumped[name] for name in SETTINGS},
        }
