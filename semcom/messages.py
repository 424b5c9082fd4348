"""Every message of the protocol. docs/protocol.md is its specification.

Transmitter            Channel               Receiver            Orchestrator
  Hello, Welcome  <->  (uplink) (downlink) <-> Hello, Welcome      (control) <-> all: Hello, Welcome
  SymbolFrame      ->  ReceivedFrame        -> decode
  TaskResult      <-   TaskResult          <-  TaskResult
  Refusal         <-   Refusal             <-  Refusal
  Wanted          <-
  Results   ------------------------------------------------->    Recorded
  Assignment, StreamAssignment  <-----------------------------
                       PointTable  <--------------------------
                                            LoadCodec <-------
                                            CodecReport ----->
  HostReport ------- HostReport ----------- HostReport ------>
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.fingerprint import Origin
from semcom.frame_messages import (
    MAX_FRAME_IMAGES,
    FrameKey,
    FrameMessage,
    ReceivedFrame,
    SymbolFrame,
    TaskResult,
)
from semcom.groups import MAX_GROUPS, MAX_MEMBERS, Group
from semcom.names import Name
from semcom.points import PointSpec
from semcom.settings import Decoding, Engine
from semcom.tasks.score import MAX_SUM
from semcom.tasks.task import MAX_KEPT_BYTES

PROTOCOL_VERSION = 3
MAX_ITEMS = 64  # of any list or map in a header

Role = Literal["transmitter", "channel", "receiver", "orchestrator"]
RefusalReason = Literal[
    # bytes that are no message
    "parts", "size", "magic", "version", "type", "checksum", "header",
    # a message out of place
    "shape", "not_finite", "over_power", "unexpected",
    # not now: the transmitter tries again
    "unknown_point", "no_receiver", "codec_not_loaded", "overloaded",
    # not at all
    "codec_mismatch", "conflict", "internal",
]  # fmt: skip
# What damage on the way can turn a good message into; its sender's time-out brings it again.
DAMAGED: frozenset[str] = frozenset({"parts", "size", "magic", "version", "type", "checksum"})
RETRIABLE: frozenset[str] = frozenset(
    {"unknown_point", "no_receiver", "codec_not_loaded", "overloaded"} | DAMAGED
)

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Instance = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Index = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, le=MAX_FRAME_IMAGES)]
SumName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,31}$")]
Sum = Annotated[int, Field(ge=-MAX_SUM, le=MAX_SUM)]
Tally = Annotated[int, Field(ge=0, lt=2**53)]
Milliseconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
MeasuredDb = Annotated[float, Field(ge=-400, le=400, allow_inf_nan=False)] | None
Arrivals = Literal["fixed", "poisson"]
Span = Annotated[tuple[Index, Index], Field(strict=False)]


class PlainMessage(BaseModel):
    """Base of messages that are few: exact types, unknown keys refused, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    TYPE: ClassVar[int]


class Part(BaseModel):
    """Base of what messages hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StreamState(Part):
    """State of a transmitter's stream; the counts start again with every epoch."""

    run: Name
    epoch: Index
    point: Index  # of the frames that are offered now
    oldest: Index  # point of the oldest frame that is not recorded, or `point`
    paused: bool
    offered: Tally  # frames that were due
    shed: Tally  # ... and were not accepted, because too many waited
    unrecorded: Tally  # ... and were, and have no receipt yet
    in_flight: Tally  # ... of which this many are on the air
    refusals: Tally  # of messages, since the process started


class Arithmetic(Part):
    """Settings that decide how a process rounds, except its device; answers depend on them."""

    threads: Annotated[int, Field(ge=1, le=256)]
    engine: Engine | None = None  # of a receiver, None is torch
    decoding: Decoding | None = None  # receiver

    def __str__(self) -> str:
        told = [each for each in (self.engine, self.decoding) if each is not None]
        return " ".join([*told, f"on {self.threads} thread{'s' * (self.threads > 1)}"])


class Hello(PlainMessage):
    """I am here. Sent first and then every second; silence for three seconds is death."""

    TYPE: ClassVar[int] = 1
    role: Role
    peer: Name
    instance: Instance
    run: Name | None = None
    points: Index = 0  # channel: how many points of `run` it knows
    busy: list[Index] = Field(
        default_factory=list, max_length=MAX_ITEMS
    )  # transmitter: points at work
    codecs: list[Digest] = Field(default_factory=list, max_length=MAX_ITEMS)  # receiver: loaded
    stream: StreamState | None = None  # transmitter: what it streams
    arithmetic: Arithmetic | None = None  # transmitter, receiver


class Welcome(PlainMessage):
    """Answer to every Hello; a new `instance` tells that the other end was restarted."""

    TYPE: ClassVar[int] = 2
    instance: Instance


class Refusal(PlainMessage):
    """A message was not taken; `key` where it could be read."""

    TYPE: ClassVar[int] = 13
    reason: RefusalReason
    detail: Annotated[str, Field(max_length=300)]
    key: FrameKey | None = None


class Wanted(PlainMessage):
    """Channel to transmitter: a slot lacks this frame of yours; send it again, or for once more.

    Nothing comes of it where the frame is on its way, or its work is not known any more.
    """

    TYPE: ClassVar[int] = 14
    key: FrameKey


class PointTable(PlainMessage):
    """Orchestrator to channel: points `first` ... of a run; `total` in all.

    Points below `lowest` are needed no more: the channel forgets them. Frames of the links of a
    group meet; each table of a run names all of its groups.
    """

    TYPE: ClassVar[int] = 20
    run: Name
    total: Index
    first: Index
    points: list[PointSpec] = Field(max_length=MAX_ITEMS)
    lowest: Index = 0
    groups: list[Group] = Field(default_factory=list, max_length=MAX_GROUPS)


class LoadCodec(PlainMessage):
    """Orchestrator to receiver: load this codec; those already loaded continue to serve."""

    TYPE: ClassVar[int] = 21
    codec: Name
    digest: Digest


class CodecReport(PlainMessage):
    """Receiver to orchestrator: a codec was loaded, or refused with a reason."""

    TYPE: ClassVar[int] = 22
    codec: Name
    digest: Digest
    loaded: bool
    detail: Annotated[str, Field(max_length=300)] = ""


class HostReport(PlainMessage):
    """A process tells the orchestrator which host it runs on, and how that rounds.

    Sent once to each `instance` of an orchestrator; one of before this message refuses its type.
    """

    TYPE: ClassVar[int] = 28
    role: Role
    peer: Name
    origin: Origin


class PointWork(PlainMessage):
    """Everything that a transmitter needs to make the frames of a point."""

    run: Name
    point: Index
    spec: PointSpec
    dataset: Name
    dataset_digest: Digest
    codec: Name
    codec_digest: Digest
    images: Annotated[int, Field(ge=1, lt=2**31)]
    frame_images: Count
    window: Annotated[int, Field(ge=1, le=1024)]
    encode_once: bool
    offset: Index = 0  # the first item that is sent; after the last one comes the first
    # Its place among the links whose frames meet in slots; None: its frames meet no others.
    user: Annotated[int, Field(ge=0, lt=MAX_MEMBERS)] | None = None

    @property
    def frame_count(self) -> int:
        """Frames of the point; in a stream, of a turn through the data set."""
        return -(-self.images // self.frame_images)


class Assignment(PointWork):
    """Orchestrator to transmitter: send these frames (half-open spans) of a point."""

    TYPE: ClassVar[int] = 23
    frames: list[Span] = Field(min_length=1, max_length=MAX_ITEMS)
    lowest: Index = 0  # points of the run below it are complete for all members of the group

    @model_validator(mode="after")
    def _within_the_point(self) -> Self:
        total = self.frame_count
        if any(start >= stop or stop > total for start, stop in self.frames):
            raise ValueError(f"frames must be spans within 0..{total}")
        return self


class StreamAssignment(PointWork):
    """Orchestrator to transmitter: from now on offer frames at a rate, at this point.

    The frames of an epoch are numbered from 0 whatever their points; a new epoch forgets all
    earlier ones. `images` is one turn through the data set, which is followed by the next one.
    """

    TYPE: ClassVar[int] = 27
    epoch: Index
    rate_hz: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    arrivals: Arrivals
    paused: bool = False


class FrameResult(Part):
    """One finished frame as the ledger keeps it: the sums of its score, what is kept of its answer.

    Both are the task's: `semcom.tasks`.
    """

    point: Index
    frame: Index
    images: Count
    score: dict[SumName, Sum] = Field(min_length=1, max_length=MAX_ITEMS)
    answer: Annotated[bytes, Field(max_length=MAX_KEPT_BYTES)]
    attempts: Annotated[int, Field(ge=1, lt=2**31)]
    encode_ms: Milliseconds
    channel_ms: Milliseconds
    batch_wait_ms: Milliseconds
    decode_ms: Milliseconds
    round_trip_ms: Milliseconds
    snr_measured_db: MeasuredDb = None


class Results(PlainMessage):
    """Transmitter to orchestrator: finished frames; sent again until recorded."""

    TYPE: ClassVar[int] = 24
    run: Name
    link: Name
    codec: Digest
    results: list[FrameResult] = Field(min_length=1, max_length=MAX_ITEMS)


class Recorded(PlainMessage):
    """Orchestrator to transmitter: these (point, frame) are committed to the ledger."""

    TYPE: ClassVar[int] = 25
    run: Name
    frames: list[Span] = Field(max_length=MAX_ITEMS)


class Failure(PlainMessage):
    """A process tells the orchestrator that it cannot do its part, and why."""

    TYPE: ClassVar[int] = 26
    run: Name | None = None  # the run it spoils; None before there was one
    role: Role
    peer: Name
    exit_code: Annotated[int, Field(ge=1, le=255)]
    detail: Annotated[str, Field(max_length=300)]


Message = PlainMessage | FrameMessage
MESSAGE_TYPES: dict[int, type[Message]] = {
    message.TYPE: message
    for message in (
        Hello, Welcome, SymbolFrame, ReceivedFrame, TaskResult, Refusal, Wanted,
        PointTable, LoadCodec, CodecReport, Assignment, Results, Recorded, Failure,
        StreamAssignment, HostReport,
    )
}  # fmt: skip
