"""Training of a refinement for the images of a codec: one stage with an artefact.

The prior of `semnoma-diffusion` needs only images: codecs of one data set share its artefact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.loop import Run, Training
from orchestrator.training.semnoma.evaluation import load_link
from orchestrator.training.semnoma.pipeline import pixels_of, split
from orchestrator.training.semnoma.refinement.presets import architecture_of, open_refined
from orchestrator.training.semnoma.refinement.settings import (
    RefinementSettings,
    RefinementStageName,
)
from orchestrator.training.semnoma.refinement.stages import (
    DiffusionStage,
    GanStage,
    RefinementStage,
)
from orchestrator.training.stage_identity import AUGMENTATION, SCHEDULE
from orchestrator.training.stage_runs import have_result, placed, seeded
from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError
from semcom.families.semnoma_refinement import GanRefinement
from semcom.identity import content

VALIDATION = "validation.json"
Told = Callable[[RefinementStageName, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class RefinementTrained:
    """Result of a pipeline: the stage, and the codec whose images it refines."""

    settings: RefinementSettings
    images: ImageSet
    held_out: ImageSet
    codec: Checkpoint
    stage: RefinementStage
    made: Artefact
    validated: dict[str, float]


class RefinementPipeline:
    """The stage of a job; `images` are the training images only."""

    def __init__(self, settings: RefinementSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        everything = ImageSet(settings.dataset_dir, "train", settings.images)
        self.images, self.held_out = split(everything, settings.held_out)
        self.given: Mapping[str, Any] = {}  # no stage is taken from its codec
        self.stages: dict[RefinementStageName, Artefact] = {}
        self._codec = open_refined(settings.init_from)

    def train(self, told: Told, until: str | None = None) -> RefinementTrained | None:
        """Run the stage if it has not run; with `until`, return nothing.

        Raises:
            ConfigurationError: no such stage, or too few images for a step.
            StoppedError: it was asked to stop, and has saved.
        """
        settings, name = self.settings, self.settings.stage
        if until is not None and until != name:
            raise ConfigurationError(f"no stage '{until}' here; there is {name}")
        self._check_images(settings.stages[name].batch)
        made = artefact(
            settings.work_dir / "artefacts" / settings.dataset, name, self._identity(name)
        )
        self.stages[name] = made
        stage = placed(self._make_stage(name), self.run.device)

        def train() -> None:
            Training(
                stage,
                self.images,
                settings=settings.stages[name],
                augmentation=settings.augmentation,
                artefact=made,
                run=self.run,
            ).run()
            if self.run.rank.index == 0:
                made.write(VALIDATION, json.dumps(stage.validated).encode())

        told(name, have_result(stage, made, self.run, train=train))
        stage.eval()
        if until is not None:
            return None
        found = made.read_json(VALIDATION)
        return RefinementTrained(
            settings, self.images, self.held_out, self._codec, stage, made, found
        )

    def _make_stage(self, name: RefinementStageName) -> RefinementStage:
        settings = self.settings
        with seeded(f"{settings.seed}/semnoma/{name}/start"):
            if name == "diffusion":
                return DiffusionStage(
                    self._prepare, settings.unet, settings.diffusion, self.held_out
                )
            architecture = architecture_of(self._codec)
            link = load_link(self._codec, users=architecture.users)
            return GanStage(
                self._prepare,
                GanRefinement(unet=settings.unet, snr_db=architecture.snr_db),
                settings.cgan,
                self.held_out,
                link=placed(link, self.run.device),
                channels=settings.channels,
            )

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        return pixels_of(images_BSS3.to(self.run.device, non_blocking=True))

    def _check_images(self, batch: int) -> None:
        users = architecture_of(self._codec).users
        if len(self.images) < batch or len(self.held_out) < users:
            raise ConfigurationError(
                f"stages.{self.settings.stage}.batch: a step takes {batch} images, and there are "
                f"{len(self.images)} beside {len(self.held_out)} held out"
            )

    def _identity(self, name: RefinementStageName) -> dict[str, Any]:
        """All that decides what the stage leaves behind."""
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
            "schedule": content(settings.stages[name], SCHEDULE),
            "unet": settings.unet.model_dump(mode="json"),
        }
        if name == "diffusion":
            learnt = settings.diffusion
            decides |= {
                "highest_step": learnt.highest_step, "average_decay": learnt.average_decay,
            }  # fmt: skip
        else:
            decides |= {
                "codec": self._codec.digest,
                "channels": list(settings.channels),
                "cgan": settings.cgan.model_dump(mode="json"),
            }
        return decides
