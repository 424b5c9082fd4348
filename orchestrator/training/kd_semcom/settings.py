"""What a training of the family `kd_semcom` is made of; every field can be set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.training.settings import JobSettings, StageSettings
from semcom.families.kd_semcom import Channel, KdSemcomArchitecture
from semcom.settings import Settings

SentenceStage = Literal["teacher", "student", "baseline"]
SentenceSystem = Literal[
    "teacher", "student-1", "student-2", "student-3", "student-4",
    "baseline-1", "baseline-2", "baseline-3", "deepsc",
]  # fmt: skip
SYSTEM_STAGES: dict[SentenceSystem, tuple[SentenceStage, ...]] = {
    "teacher": ("teacher",),
    **dict.fromkeys(("student-1", "student-2", "student-3", "student-4"), ("teacher", "student")),
    **dict.fromkeys(("baseline-1", "baseline-2", "baseline-3", "deepsc"), ("baseline",)),
}
# Table I: layers of encoder and decoder, and the channel networks.
TABLE_I: dict[SentenceSystem, tuple[int, Channel]] = {
    "teacher": (4, "wide"),
    "student-1": (4, "wide"), "student-2": (2, "wide"), "student-3": (2, "narrow"),
    "student-4": (2, "narrow"),
    "baseline-1": (4, "wide"), "baseline-2": (2, "wide"), "baseline-3": (2, "narrow"),
    "deepsc": (3, "deepsc"),
}  # fmt: skip


class TextChannelSettings(Settings):
    """Channel and interference that a stage trains through, drawn for every sentence."""

    fading: Literal["rayleigh", "awgn"] = Field(
        default="rayleigh", description="of the link and of every interferer"
    )
    snr_db_low: float = Field(ge=-30, le=60, description="Es/N0 in dB, from")
    snr_db_high: float = Field(ge=-30, le=60, description="up to, uniformly drawn")
    interferers: int = Field(
        default=0, ge=0, le=15, description="at most; their number is uniform from 0"
    )
    sir_db_low: float = Field(default=0.0, ge=-30, le=60, description="of each interferer, from")
    sir_db_high: float = Field(default=20.0, ge=-30, le=60, description="up to, uniformly drawn")
    occurrence: float = Field(
        default=0.9, ge=0, le=1, description="share of an interferer's symbols that are on"
    )
    delay: int = Field(default=24, ge=0, le=240, description="symbols at most, uniformly drawn")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.snr_db_low > self.snr_db_high or self.sir_db_low > self.sir_db_high:
            raise ValueError("snr_db_low or sir_db_low is above its high")
        return self


class DistillationTerms(Settings):
    """Eq. (26) and (28): weights eta of the points at which a student follows; 0 leaves one out."""

    p: float = Field(default=0.0, ge=0, le=1, description="after the semantic encoder")
    x: float = Field(default=0.1, ge=0, le=1, description="after the channel encoder")
    p_hat: float = Field(default=0.0, ge=0, le=1, description="after the channel decoder")
    t_hat: float = Field(default=0.1, ge=0, le=1, description="after the semantic decoder")
    s_hat: float = Field(default=0.2, ge=0, le=1, description="logits")
    cross_entropy: bool = Field(
        default=True, description="with the weight that the others leave of 1"
    )
    temperature: float = Field(default=2.0, gt=0, le=100, description="T")
    direction: Literal["teacher", "literal"] = Field(
        default="teacher",
        description="teacher: KL(teacher || student); literal: KL(student || teacher), as printed",
    )

    @property
    def weights(self) -> dict[str, float]:
        """The points that count, with their weights."""
        every = {name: getattr(self, name) for name in ("p", "x", "p_hat", "t_hat", "s_hat")}
        return {name: weight for name, weight in every.items() if weight}

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if sum(self.weights.values()) > 1:
            raise ValueError("the weights of the points are above 1 in total")
        if not self.weights and not self.cross_entropy:
            raise ValueError("cross_entropy: nothing is left to learn from")
        return self


class SentenceTrainingSettings(JobSettings):
    """One job: a codec of sentences for one data set."""

    system: SentenceSystem = Field(description="Table I; told by `--system`")
    architecture: KdSemcomArchitecture = Field(description="of the codec")
    teacher: KdSemcomArchitecture = Field(description="of whom a student follows")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="in training")
    sentences: int | None = Field(
        default=None, ge=2, description="the teacher learns from the first so many; all if none"
    )
    transfer: int | None = Field(
        default=20_000, ge=2, description="students and baselines do; all if none"
    )
    stages: dict[SentenceStage, StageSettings] = Field(
        description="`teacher`, `student`, `baseline` (and DeepSC)"
    )
    channels: dict[SentenceStage, TextChannelSettings] = Field(
        description="what each stage trains through"
    )
    distillation: DistillationTerms = Field(description="of stage `student`")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for stage in SYSTEM_STAGES[self.system]:
            if stage not in self.stages or stage not in self.channels:
                raise ValueError(f"system '{self.system}' needs settings of stage {stage}")
        same = ("vocabulary", "tokens", "width")
        if any(getattr(self.teacher, n) != getattr(self.architecture, n) for n in same):
            raise ValueError(f"teacher and architecture differ in one of {', '.join(same)}")
        return self
