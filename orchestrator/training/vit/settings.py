"""The settings of a training of the family `vit`; every field can be set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.training.settings import AugmentationSettings, JobSettings, StageSettings
from semcom.families.vit import VitArchitecture, VitSystem
from semcom.points import ChannelModel

VitStageName = Literal["vit"]


class VitSettings(JobSettings):
    """One job: T-DeepSC or RTSC for one data set, end to end through the channel."""

    system: VitSystem = Field(description="system to train; set by `--system`")
    architecture: VitArchitecture = Field(description="architecture of both ends")
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(flip="random"),
        description="augmentation of the training images; `views` must be 0",
    )
    snr_db_low: float = Field(
        ge=-30,
        le=60,
        description="lower end of the range, in dB, from which the Es/N0 of each image is drawn",
    )
    snr_db_high: float = Field(ge=-30, le=60, description="upper end of that range, in dB")
    channels: tuple[ChannelModel, ...] = Field(
        default=("awgn", "rayleigh"),
        min_length=1,
        description="one of them is drawn for every batch",
    )
    commitment: float = Field(
        default=0.25,
        ge=0,
        description="for `indices`: weight of the commitment loss, which keeps the encoder's "
        "vectors close to the codewords of the codebook",
    )
    stages: dict[VitStageName, StageSettings] = Field(description="`vit`")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.architecture.system != self.system:
            link = self.architecture.link
            raise ValueError(f"architecture.link: {link} is not of {self.system}")
        if self.snr_db_low > self.snr_db_high:
            raise ValueError("snr_db_low is above snr_db_high")
        if self.augmentation.views:
            raise ValueError(
                "augmentation.views: no teacher's features are stored here; leave it at 0"
            )
        return self
