"""Messages between orchestrator and evaluating process, as lines of JSON.

    orchestrator -> stdin of the process    EvaluationJob, one after the other
    its stdout   -> orchestrator            of each job: Evaluator, EncodedImages,
                                            EvaluatedPoint ..., Finished or EvaluationError

A job contains only missing points, so an evaluation resumes in the same way.
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
    """A point with its number in the plan."""

    point: int = Field(ge=0)
    spec: PointSpec


class EvaluationTask(Line):
    """A unit of work: frames of one link with one of its codecs, at all missing points.

    It names data set and codec by their digests and states everything else in full, so any process
    that finds these two can compute it. If its frames meet those of other links, `group` names
    them; the task then covers all of these links, `link` is the first one, and every point is
    answered once per link. Its frames are `first` to `stop` - 1 of those that `images` items form.
    `turn` counts how often all of them were sent before, as in a stream: each turn has its own
    draws.
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
    """Request for single items of the link to which all tasks of the job refer.

    Each task leaves a file FIRST-POINT.npz for each point; FIRST is the number of its first item.
    `items` count from the first item that the link sends. `detail` says how much is kept: only the
    sums of each item's score, its symbols and outputs as well, or also its features.
    """

    link: Name
    items: list[int] = Field(min_length=1)
    detail: InspectionDetail = "features"
    folder: Path


class EvaluationJob(Line):
    """Tasks, and the settings on which rounding depends: size of frames, threads, engines."""

    frame_images: int = Field(ge=1)
    encoder_threads: int = Field(ge=1)
    decoder_threads: int = Field(ge=1)
    engine: Engine = "torch"
    receiver_engine: Engine = "torch"
    answers_dir: Path | None = None  # folder in which each answer is kept as a file
    inspection: Inspection | None = None  # items that are inspected
    tasks: list[EvaluationTask] = Field(min_length=1)

    def images_of(self, task: EvaluationTask) -> range:
        """Return which items of its link a task covers."""
        end = min(task.stop * self.frame_images, task.images)
        return range(task.first * self.frame_images, end)


class Evaluator(Line):
    """The host that evaluates, and its rounding; the first line."""

    event: Literal["evaluator"] = "evaluator"
    origin: Origin


class EncodedImages(Line):
    """Progress: the number of images of a task that have been encoded."""

    event: Literal["encoded"] = "encoded"
    task: int = Field(ge=0)
    images: int = Field(ge=0)


class EvaluatedFrame(Line):
    """A frame's score, and the part of the answer that its task keeps."""

    score: dict[str, int]
    answer: bytes


class EvaluatedPoint(Line):
    """All answers to a task's link at one point: its frames from the task's first one on."""

    event: Literal["point"] = "point"
    task: int = Field(ge=0)
    link: Name
    point: int = Field(ge=0)
    frames: list[EvaluatedFrame]


class Finished(Line):
    """Everything in a job has been answered; its last line."""

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
    """Parse one line of an evaluating process.

    Raises:
        ValueError: it is not valid.
    """
    return _LINE.validate_json(line)
