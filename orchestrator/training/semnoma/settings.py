"""The settings of a training of the family `semnoma`."""

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
    """Terms of the loss, summed over the users of a slot."""

    image: Literal["mse", "mae"] = Field(
        default="mse", description="distance between the pixels sent and the pixels recovered"
    )
    image_weight: float = Field(default=1.0, gt=0, description="weight of this distance")
    affinity_weight: float = Field(
        default=0.1,
        ge=0,
        description="weight of the distance between the affinities of positions in the teacher's "
        "and the student's features",
    )
    cross_weight: float = Field(
        default=0.1,
        ge=0,
        description="weight of the distance between the teacher's output and the output of the "
        "teacher's last stage for the student's feature",
    )

    @property
    def is_distilled(self) -> bool:
        """Return whether any term needs the teacher."""
        return self.affinity_weight > 0 or self.cross_weight > 0


class SemnomaSettings(JobSettings):
    """A job: a codec for superposed users, for their teacher, or for orthogonal users."""

    system: SystemName = Field(description="system to train; set by `--system`")
    architecture: SemnomaArchitecture = Field(
        description="architecture for superposed users; those of the teacher and of orthogonal "
        "users are derived from it"
    )
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(crop_padding=0, flip="random"),
        description="augmentation of the training images; by default random flips without crops; "
        "`views` must be 0",
    )
    channels: tuple[SlotChannel, ...] = Field(
        default=("awgn", "rayleigh"),
        min_length=1,
        description="one of them is drawn for every batch",
    )
    losses: LossSettings = Field(default=LossSettings(), description="losses of all stages")
    teacher_power: Literal["full", "share"] = Field(
        default="full",
        description="power of each user of the teacher; share: the user's part of the slot's "
        "power, as if the others were cancelled perfectly",
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=0.9, description="share of the training images kept for validation"
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="stop after this many epochs without improvement and keep the best weights",
    )
    stages: dict[StageName, StageSettings] = Field(
        description="`teacher`, `semnoma`, `kd_semnoma`, `oma`"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        users = self.architecture.users
        if users < 2:
            raise ValueError("architecture.users: a slot has at least 2; the teacher always has 1")
        if self.system == "oma" and self.architecture.channels % (2 * users):
            raise ValueError(
                f"architecture.channels: {self.architecture.channels} are not a whole "
                "number of symbols for "
                f"each of {users} orthogonal users"
            )
        if self.augmentation.views:
            raise ValueError(
                "augmentation.views: no teacher's features are stored here; leave it at 0"
            )
        for name in SYSTEM_STAGES[self.system]:
            if name not in self.stages:
                raise ValueError(f"system '{self.system}' needs settings of stage {name}")
        for name, stage in self.stages.items():
            if stage.batch % users:
                raise ValueError(
                    f"stages.{name}.batch: {stage.batch} images are not a whole number of "
                    f"slots of {users} users"
                )
        return self
