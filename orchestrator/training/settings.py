"""What a training job is made of; every field can be set from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from semcom.architecture import CodecArchitecture
from semcom.points import ChannelModel

StageName = Literal["teacher", "stage1", "head", "stage2"]
STAGES: tuple[StageName, ...] = ("teacher", "stage1", "head", "stage2")


class Settings(BaseModel):
    """Base: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageSettings(Settings):
    """Optimiser and schedule of one stage.

    The learning rate rises linearly over the first `warmup` share of the steps and falls along a
    half cosine from `lr` to `lr_end`.
    """

    epochs: int = Field(ge=1, le=10_000)
    batch: int = Field(default=128, ge=2, le=65536)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(gt=0, le=10)
    lr_end: float = Field(default=0.0, ge=0)
    warmup: float = Field(default=0.0, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)


class TeacherArchitecture(Settings):
    """The compact teacher: a plain convolutional network, see teacher.py."""

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    residual: bool = False
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)


class AugmentationSettings(Settings):
    """Random crop after reflection padding, and horizontal flips."""

    crop_padding: int = Field(default=4, ge=0, le=32)
    flip: bool = True


class DistillationSettings(Settings):
    """Channel conditions and loss weights of stage 2, eq. (26)."""

    snr_db_low: float = 5.0
    snr_db_high: float = 20.0
    channels: tuple[ChannelModel, ...] = ("awgn", "rayleigh")
    kd_weight: float = Field(default=1.0, ge=0)
    re_weight: float = Field(default=1.0, ge=0)
    task_weight: float = Field(default=1.0, ge=0)


class TrainingSettings(Settings):
    """One job: a codec for one data set."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    dataset: str
    data_dir: Path = Path("data")
    work_dir: Path = Path("training")
    architecture: CodecArchitecture
    teacher: TeacherArchitecture = TeacherArchitecture()
    augmentation: AugmentationSettings = AugmentationSettings()
    distillation: DistillationSettings = DistillationSettings()
    stages: dict[StageName, StageSettings]
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int = Field(default=0, ge=0, le=256, description="0: all cores")
    precision: Literal["auto", "bf16", "fp32"] = "auto"

    @property
    def dataset_dir(self) -> Path:
        """Folder of the shards."""
        return self.data_dir / self.dataset

    @property
    def job_dir(self) -> Path:
        """Folder of the job's artefacts."""
        return self.work_dir / self.name
