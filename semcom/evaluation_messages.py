"""Messages between orchestrator and evaluating process, as lines of JSON.

    orchestrator -> stdin of the process    EvaluationJob, one after the other
    its stdout   -> orchestrator            of each job: Evaluator, EncodedImages,
                                            EvaluatedPoint ..., Finished or EvaluationError

The job holds nothing but points that are missing, so it is also how an evaluation resumes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from semcom.fingerprint import Origin
from semcom.groups import Group
from semcom.messages import Digest
from semcom.names import Name
from semcom.points import PointSpec
from semcom.settings import Engine

InspectionDetail = Literal["scores", "symbols", "features"]


class Line(BaseModel):
    """Base: unknown keys are errors; bytes are base64 in JSON."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class EvaluationPoint(Line):
    """A point under the number that its plan gives it."""

    point: int = Field(ge=0)
    spec: PointSpec


class EvaluationTask(Line):
    """A unit of work: frames of one link with one of its codecs, over all points that are missing.

    It names data set and codec by their digests and everything else in full, so any process that
    finds these can compute it. Where its frames meet those of others, `group` says with whom; then
    the task is all of theirs, `link` is the first of them, and every point is answered once for
    each. Its frames are `first` to `stop` - 1 of those that `images` images come to. `turn` counts
    how often all of them were sent before, as in a stream: each turn has draws of its own.
    """

    link: Name
    group: Group | None = None
    dataset_dir: Path
    dataset_digest: Digest
    codec_dir: Path
    codec_digest: Digest
    images: int = Field(ge=1)
    first: int = Field(ge=0)
    stop: int = Field(ge=1)
    turn: int = Field(default=0, ge=0)
    points: list[EvaluationPoint] = Field(min_length=1)


class Inspection(Line):
    """Keep single items of a link that all tasks of the job are about.

    Each task leaves a file FIRST-POINT.npz for each point; FIRST is the number of its first item.
    `items` count from the first image that the link sends. `detail` says how much is kept: the sums
    of each item's score alone, its symbols and outputs too, or also its features.
    """

    link: Name
    items: list[int] = Field(min_length=1)
    detail: InspectionDetail = "features"
    folder: Path


class EvaluationJob(Line):
    """Tasks, and what the arithmetic depends on: the size of frames, threads, engines."""

    frame_images: int = Field(ge=1)
    encoder_threads: int = Field(ge=1)
    decoder_threads: int = Field(ge=1)
    engine: Engine = "torch"
    receiver_engine: Engine = "torch"
    answers_dir: Path | None = None  # where each answer is kept as a file
    inspection: Inspection | None = None  # which items are looked at
    tasks: list[EvaluationTask] = Field(min_length=1)

    def images_of(self, task: EvaluationTask) -> range:
        """Return which of the images of its link a task is about."""
        end = min(task.stop * self.frame_images, task.images)
        return range(task.first * self.frame_images, end)


class Evaluator(Line):
    """The host that evaluates, and its rounding; the first line."""

    event: Literal["evaluator"] = "evaluator"
    origin: Origin


class EncodedImages(Line):
    """Progress: so many images of a task have been encoded."""

    event: Literal["encoded"] = "encoded"
    task: int = Field(ge=0)
    images: int = Field(ge=0)


class EvaluatedFrame(Line):
    """A frame's score, and what its task keeps of the answer."""

    score: dict[str, int]
    answer: bytes


class EvaluatedPoint(Line):
    """All answers to a link of a task at one point: its frames from the task's first one on."""

    event: Literal["point"] = "point"
    task: int = Field(ge=0)
    link: Name
    point: int = Field(ge=0)
    frames: list[EvaluatedFrame]


class Finished(Line):
    """All of a job has been answered; the last line of it."""

    event: Literal["finished"] = "finished"


class EvaluationError(Line):
    """The process gives up; the last line it writes."""

    event: Literal["error"] = "error"
    exit_code: int = Field(ge=1, le=255)
    detail: str


EvaluationLine = Evaluator | Finished | EncodedImages | EvaluatedPoint | EvaluationError
_LINE: TypeAdapter[EvaluationLine] = TypeAdapter(
    Annotated[EvaluationLine, Field(discriminator="event")]
)


def parse_line(line: bytes) -> EvaluationLine:
    """One line of an evaluating process.

    Raises:
        ValueError: it is none.
    """
    return _LINE.validate_json(line)
