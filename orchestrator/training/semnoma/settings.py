"""What a training of the family `semnoma` is made of."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.training.settings import AugmentationSettings, JobSettings, StageSettings
from semcom.families.semnoma import SemnomaArchitecture
from semcom.settings import Settings

SystemName = Literal["kd-semnoma", "semnoma", "semnoma-teacher", "oma"]
StageName = Literal["teacher", "semnoma", "kd_semnoma", "oma"]
SYSTEM_STAGES: dict[SystemName, tuple[StageName, ...]] = {
    "kd-semnoma": ("teacher", "kd_semnoma"),
    "semnoma": ("semnoma",),
    "semnoma-teacher": ("teacher",),
    "oma": ("oma",),
}
SlotChannel = Literal["awgn", "rayleigh"]


class LossSettings(Settings):
    """Terms of the loss of every user, summed over the users of a slot."""

    image: Literal["mse", "mae"] = Field(
        default="mse", description="what is between the pixels that were sent and recovered"
    )
    image_weight: float = Field(default=1.0, gt=0, description="of that term")
    affinity_weight: float = Field(
        default=0.1, ge=0, description="of the teacher's and student's likeness of positions"
    )
    cross_weight: float = Field(
        default=0.1, ge=0, description="of what the teacher's last stage makes of the student's"
    )

    @property
    def is_distilled(self) -> bool:
        """Whether any term needs the teacher."""
        return self.affinity_weight > 0 or self.cross_weight > 0


class SemnomaSettings(JobSettings):
    """One job: a codec of superposed users, of their teacher, or of orthogonal users."""

    system: SystemName = Field(description="what is trained; told by `--system`")
    architecture: SemnomaArchitecture = Field(
        description="of superposed users; the teacher's and that of orthogonal users follow from it"
    )
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(crop_padding=0, flip="random"),
        description="of the training images; random flips and no crop unless it says otherwise",
    )
    channels: tuple[SlotChannel, ...] = Field(
        default=("awgn", "rayleigh"), min_length=1, description="one of them for every batch"
    )
    losses: LossSettings = Field(default=LossSettings(), description="of all stages")
    teacher_power: Literal["full", "share"] = Field(
        default="full",
        description="of each user of the teacher; share: the user's part of the slot's power, as "
        "if the others were cancelled perfectly",
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="share of the training images kept for validation"
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="end after so many epochs that better nothing, with the best weights",
    )
    stages: dict[StageName, StageSettings] = Field(
        description="`teacher`, `semnoma`, `kd_semnoma`, `oma`"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        users = self.architecture.users
        if users < 2:
            raise ValueError("architecture.users: a slot has at least 2; the teacher has 1 itself")
        if self.system == "oma" and self.architecture.channels % (2 * users):
            raise ValueError(
                f"architecture.channels: {self.architecture.channels} are no whole symbols for "
                f"each of {users} orthogonal users"
            )
        if self.augmentation.views:
            raise ValueError("augmentation.views: no teacher's features are kept here; leave it 0")
        for name in SYSTEM_STAGES[self.system]:
            if name not in self.stages:
                raise ValueError(f"system '{self.system}' needs settings of stage {name}")
        for name, stage in self.stages.items():
            if stage.batch % users:
                raise ValueError(
                    f"stages.{name}.batch: {stage.batch} images are no whole slots of {users} users"
                )
        return self
