"""The settings of a training of the family `kd_semcom`; every field can be set."""

from __future__ import annotations

from pathlib import Path
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
    """Channel and interference in the training of a stage, drawn for every sentence."""

    fading: Literal["rayleigh", "awgn"] = Field(
        default="rayleigh", description="fading of the link and of every interferer"
    )
    snr_db_low: float = Field(ge=-30, le=60, description="lowest Es/N0 in dB; drawn uniformly")
    snr_db_high: float = Field(ge=-30, le=60, description="highest Es/N0 in dB")
    interferers: int = Field(
        default=0, ge=0, le=15, description="largest number of interferers; drawn uniformly from 0"
    )
    sir_db_low: float = Field(
        default=0.0,
        ge=-30,
        le=60,
        description="lowest SIR of each interferer in dB; drawn uniformly",
    )
    sir_db_high: float = Field(
        default=20.0, ge=-30, le=60, description="highest SIR of each interferer in dB"
    )
    occurrence: float = Field(
        default=0.9, ge=0, le=1, description="share of an interferer's symbols that are active"
    )
    delay: int = Field(
        default=24, ge=0, le=240, description="largest delay in symbols; drawn uniformly"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.snr_db_low > self.snr_db_high or self.sir_db_low > self.sir_db_high:
            raise ValueError("snr_db_low or sir_db_low is above its upper end")
        return self


class DistillationTerms(Settings):
    """Eq. (26) and (28): weights eta of the points at which a student follows; 0 omits a point."""

    p: float = Field(
        default=0.0, ge=0, le=1, description="weight of the term after the semantic encoder"
    )
    x: float = Field(
        default=0.1, ge=0, le=1, description="weight of the term after the channel encoder"
    )
    p_hat: float = Field(
        default=0.0, ge=0, le=1, description="weight of the term after the channel decoder"
    )
    t_hat: float = Field(
        default=0.1, ge=0, le=1, description="weight of the term after the semantic decoder"
    )
    s_hat: float = Field(default=0.2, ge=0, le=1, description="weight of the term on the logits")
    cross_entropy: bool = Field(
        default=True, description="add the cross entropy, with 1 minus the other weights"
    )
    temperature: float = Field(
        default=2.0, gt=0, le=100, description="temperature T of the softmax"
    )
    direction: Literal["teacher", "literal"] = Field(
        default="teacher",
        description="teacher: KL(teacher || student); literal: KL(student || teacher), as printed",
    )

    @property
    def weights(self) -> dict[str, float]:
        """Return the points with a weight above 0, with their weights."""
        every = {name: getattr(self, name) for name in ("p", "x", "p_hat", "t_hat", "s_hat")}
        return {name: weight for name, weight in every.items() if weight}

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if sum(self.weights.values()) > 1:
            raise ValueError("the weights of the points add up to more than 1")
        if not self.weights and not self.cross_entropy:
            raise ValueError("cross_entropy: nothing is left to learn from")
        return self


class SentenceTrainingSettings(JobSettings):
    """A job: a codec of sentences for one data set."""

    system: SentenceSystem = Field(description="a system of Table I; set by `--system`")
    architecture: KdSemcomArchitecture = Field(description="architecture of the codec")
    teacher: KdSemcomArchitecture = Field(description="architecture of a student's teacher")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="dropout rate in training")
    sentences: int | None = Field(
        default=None,
        ge=2,
        description=(
            "number of sentences with which the teacher is trained, beginning with the first; "
            "None: all"
        ),
    )
    transfer: int | None = Field(
        default=20_000,
        ge=2,
        description="number of sentences with which students and baselines are trained; None: all",
    )
    stages: dict[SentenceStage, StageSettings] = Field(
        description="`teacher`, `student`, `baseline` (also for DeepSC)"
    )
    channels: dict[SentenceStage, TextChannelSettings] = Field(
        description="channel in the training of each stage"
    )
    distillation: DistillationTerms = Field(description="losses of the stage `student`")
    teacher_codec: Path | None = Field(
        default=None,
        description="name or folder of a codec that a student follows, in place of a teacher "
        "trained by the job",
    )
    init_from: Path | None = Field(
        default=None,
        description="name or folder of a codec with the same networks; the last stage starts from "
        "its weights",
    )

    @property
    def trained_stages(self) -> tuple[SentenceStage, ...]:
        """Return the stages that the job trains, in order."""
        names = SYSTEM_STAGES[self.system]
        return names if self.teacher_codec is None else names[1:]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for stage in SYSTEM_STAGES[self.system]:
            if stage not in self.stages or stage not in self.channels:
                raise ValueError(f"system '{self.system}' needs settings of stage {stage}")
        same = ("vocabulary", "tokens", "width")
        if any(getattr(self.teacher, n) != getattr(self.architecture, n) for n in same):
            raise ValueError(f"teacher and architecture differ in one of {', '.join(same)}")
        return self
