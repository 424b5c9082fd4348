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
    """An epoch of a search: alpha, softmax(alpha), (4 stages, 5 depths), and selected depths.

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
    """One search with one seed; unknown keys are accepted, so that a search may report more.

    `settings` is a digest of all settings except the seed; earlier records have none.
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
            raise ValueError("epochs must increase")
        return self


class Timing(Record):
    """Durations of one call, over `runs` calls after a warm-up."""

    median_ms: Milliseconds
    min_ms: Milliseconds
    max_ms: Milliseconds
    runs: int = Field(ge=1)


class Footprint(Record):
    """One codec, or one architecture with random weights (`digest` None).

    `parameters` and `flops` (per image; a multiplication and an addition count as two) are listed
    by part. `idle_parameters` are those that the published attention over one token would add
    without any effect. `encode_1` and `encode_100` time both encoders on batches of 1 and 100.
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


class SentenceFootprint(Record):
    """One codec for sentences.

    `parameters` are listed by part, without embeddings and prediction layer. `macs` are those of a
    sentence of `tokens` tokens; `encode` and `decode` time it: both encoders, and greedy decoding
    to its end.
    """

    name: str
    dataset: str
    system: str
    digest: str | None = None
    precision: str
    tokens: int = Field(ge=1)
    layers: int = Field(ge=1)
    parameters: dict[str, Count]
    embeddings: Count
    prediction_layer: Count
    layer_norms: Count
    bytes_on_disk: dict[str, Count]
    macs: dict[str, Count]
    encode: Timing
    decode: Timing


class FootprintRecord(Record):
    """Content of `footprint.json`: footprints, and the machine on which they were measured."""

    torch: str
    processor: str
    threads: int = Field(ge=1)
    footprints: list[Footprint] = []
    sentences: list[SentenceFootprint] = []

    @model_validator(mode="after")
    def _holds_some(self) -> Self:
        if not (self.footprints or self.sentences):
            raise ValueError("footprints: the list is empty")
        return self
