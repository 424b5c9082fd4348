"""Settings of the training of a refinement."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.training.semnoma.refinement.criteria import CriterionName
from orchestrator.training.semnoma.settings import SlotChannel
from orchestrator.training.settings import AugmentationSettings, JobSettings, StageSettings
from semcom.families.semnoma_refinement import Step, UnetArchitecture
from semcom.settings import Settings

RefinedSystem = Literal["semnoma-diffusion", "semnoma-cgan"]
RefinementStageName = Literal["diffusion", "cgan"]
STAGE_OF: dict[RefinedSystem, RefinementStageName] = {
    "semnoma-diffusion": "diffusion",
    "semnoma-cgan": "cgan",
}


class DiffusionSettings(Settings):
    """The denoising prior and its starts."""

    highest_step: int = Field(
        default=250,
        ge=1,
        le=1000,
        description="highest of the 1,000 diffusion steps for which the network is trained",
    )
    average_decay: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="decay of the exported moving average of the weights; smaller in early training"
        " steps",
    )
    ddim_steps: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="largest number of sampling steps from the start step down to 0",
    )
    starts: tuple[Step, ...] = Field(
        default=(0, 5, 10, 20, 40, 80),
        min_length=1,
        max_length=100,
        description=(
            "candidate start steps, of which one is chosen for every SNR on held-out "
            "images; 0: no refinement"
        ),
    )
    snr_db: tuple[float, ...] = Field(
        default=(0.0, 5.0, 10.0, 15.0, 20.0),
        min_length=1,
        max_length=100,
        description="SNRs in dB in the table of start steps; for any other SNR, the entry of the "
        "nearest one is used",
    )
    criterion: CriterionName = Field(
        default="lpips",
        description="measure by which start steps are chosen, as a mean over images, users and "
        "channels; lpips needs weights (`semcom weights lpips`)",
    )
    chosen_on: int = Field(
        default=128, ge=1, description="largest number of held-out images on which they are chosen"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if max(self.starts) > self.highest_step:
            raise ValueError(
                f"diffusion.starts: step {max(self.starts)} is above diffusion.highest_step "
                f"{self.highest_step}, which is not trained"
            )
        if list(self.snr_db) != sorted(set(self.snr_db)):
            raise ValueError("diffusion.snr_db: SNRs ascend, each once")
        return self


class GanSettings(Settings):
    """The conditional GAN."""

    adversarial_weight: float = Field(
        default=0.01,
        ge=0,
        description="weight of the adversarial term relative to the absolute error",
    )
    discriminator_width: int = Field(
        default=64,
        ge=8,
        le=1024,
        multiple_of=8,
        description="channels after the discriminator's first layer",
    )


class RefinementSettings(JobSettings):
    """A job: the refinement of the images of an existing codec."""

    system: RefinedSystem = Field(description="system to train; set by `--system`")
    init_from: Path = Field(
        description="name or folder of the codec whose images are refined; required"
    )
    unet: UnetArchitecture = Field(default=UnetArchitecture(), description="the network")
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(crop_padding=0, flip="random"),
        description="augmentation of the training images; by default random flips without crops; "
        "`views` must be 0",
    )
    channels: tuple[SlotChannel, ...] = Field(
        default=("awgn", "rayleigh"),
        min_length=1,
        description="cgan: one of them is drawn for every batch; diffusion: start steps are chosen "
        "on these channels",
    )
    diffusion: DiffusionSettings = Field(
        default=DiffusionSettings(), description="settings of semnoma-diffusion"
    )
    cgan: GanSettings = Field(default=GanSettings(), description="settings of semnoma-cgan")
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="share of the training images kept for validation"
    )
    stages: dict[RefinementStageName, StageSettings] = Field(description="`diffusion`, `cgan`")

    @property
    def stage(self) -> RefinementStageName:
        """Return the only stage."""
        return STAGE_OF[self.system]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.augmentation.views:
            raise ValueError(
                "augmentation.views: no teacher's features are stored here; leave it at 0"
            )
        if self.stage not in self.stages:
            raise ValueError(f"system '{self.system}' needs settings of stage {self.stage}")
        return self
