"""Records of jobs for reports: `search.json` and `footprint.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.architecture import MAX_DEPTH, Depths

SEARCH_FILE = "search.json"
FOOTPRINT_FILE = "footprint.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
PerDepth = Annotated[list[Finite], Field(min_length=MAX_DEPTH, max_length=MAX_DEPTH)]
PerStage = Annotated[list[PerDepth], Field(min_length=4, max_length=4)]
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

SearchMethod = Literal["kdl-darts", "darts"]


class Record(BaseModel):
    """Base: values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchEpoch(Record):
    """An epoch of a search: alpha and softmax(alpha), (4 stages, 5 depths), and what they select.

    `parameters` are those of the four stages at the selected depths.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    epoch: Count
    alpha: PerStage
    probabilities: PerStage
    depths: Depths
    parameters: Count
    validation_accuracy: Share
    losses: dict[str, Any] = {}


class SearchRecord(Record):
    """One search with one seed; unknown keys are let pass, so that a search may tell more.

    `settings` is a digest of all but the seed; records from before it was kept have none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    dataset: str = Field(min_length=1)
    method: SearchMethod
    seed: Count
    settings: str | None = None
    epochs: list[SearchEpoch] = Field(min_length=1)
    depths: Depths
    parameters: Count
    validation_accuracy: Share

    @model_validator(mode="after")
    def _rises(self) -> Self:
        numbers = [epoch.epoch for epoch in self.epochs]
        if numbers != sorted(set(numbers)):
            raise ValueError("epochs must rise")
        return self


class Timing(Record):
    """Durations of one call, over `runs` calls after a warm-up."""

    median_ms: Milliseconds
    min_ms: Milliseconds
    max_ms: Milliseconds
    runs: int = Field(ge=1)


class Footprint(Record):
    """One codec, or one architecture with random weights (`digest` None).

    `parameters` and `flops` (of one image, a multiplication and an addition being two) are by
    part. `idle_parameters` are those that the published attention over one token would add and
    that can do nothing. `encode_1` and `encode_100` time both encoders on batches of 1 and 100.
    """

    name: str
    dataset: str
    system: str
    digest: str | None = None
    input_size: int = Field(ge=1)
    depths: Depths | None = None
    parameters: dict[str, Count]
    idle_parameters: dict[str, Count]
    teacher_parameters: Count | None = None
    flops: dict[str, Count]
    encode_1: Timing
    encode_100: Timing


class FootprintRecord(Record):
    """Content of `footprint.json`: footprints, and the machine they were measured on."""

    torch: str
    processor: str
    threads: int = Field(ge=1)
    footprints: list[Footprint] = Field(min_length=1)
