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
MAX_ITEMS = 64  # items of any list or map in a header

Role = Literal["transmitter", "channel", "receiver", "orchestrator"]
RefusalReason = Literal[
    # bytes that are not a message
    "parts", "size", "magic", "version", "type", "checksum", "header",
    # a message in the wrong place
    "shape", "not_finite", "over_power", "unexpected",
    # temporary: the transmitter retries
    "unknown_point", "no_receiver", "codec_not_loaded", "overloaded",
    # permanent
    "codec_mismatch", "conflict", "internal",
]  # fmt: skip
# Reasons that damage in transit can cause; the sender's timeout repeats the message.
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
    """Base of infrequent messages: exact types, unknown keys refused, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    TYPE: ClassVar[int]


class Part(BaseModel):
    """Base of the parts of messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StreamState(Part):
    """State of a transmitter's stream; the counts start again with every epoch."""

    run: Name
    epoch: Index
    point: Index  # of the frames offered now
    oldest: Index  # point of the oldest frame that is not recorded, or `point`
    paused: bool
    offered: Tally  # frames that were due
    shed: Tally  # ... those not accepted, because too many waited
    unrecorded: Tally  # ... those accepted, without a receipt so far
    in_flight: Tally  # ... of which this many are in flight
    refusals: Tally  # of messages, since the process started
    lowest: Index = 0  # no frame of the epoch below this one is open


class Arithmetic(Part):
    """Settings, except the device, that determine how a process rounds; answers depend on them."""

    threads: Annotated[int, Field(ge=1, le=256)]
    engine: Engine | None = None  # None from a receiver means torch
    decoding: Decoding | None = None  # receiver

    def __str__(self) -> str:
        told = [each for each in (self.engine, self.decoding) if each is not None]
        return " ".join([*told, f"on {self.threads} thread{'s' * (self.threads > 1)}"])


class Hello(PlainMessage):
    """A peer is alive. Sent every second; a peer that is silent for three seconds is dead."""

    TYPE: ClassVar[int] = 1
    role: Role
    peer: Name
    instance: Instance
    run: Name | None = None
    points: Index = 0  # channel: number of points of `run` that it has
    busy: list[Index] = Field(
        default_factory=list, max_length=MAX_ITEMS
    )  # transmitter: points in progress
    codecs: list[Digest] = Field(default_factory=list, max_length=MAX_ITEMS)  # receiver: loaded
    stream: StreamState | None = None  # transmitter: its stream
    arithmetic: Arithmetic | None = None  # transmitter, receiver


class Welcome(PlainMessage):
    """Answer to every Hello; a new `instance` means that the other end was restarted."""

    TYPE: ClassVar[int] = 2
    instance: Instance


class Refusal(PlainMessage):
    """A message was refused; has `key` if that could be read."""

    TYPE: ClassVar[int] = 13
    reason: RefusalReason
    detail: Annotated[str, Field(max_length=300)]
    key: FrameKey | None = None


class Wanted(PlainMessage):
    """Channel to transmitter: a slot lacks this frame; send it again.

    It has no effect if the frame is in flight or its work is no longer known.
    """

    TYPE: ClassVar[int] = 14
    key: FrameKey


class PointTable(PlainMessage):
    """Orchestrator to channel: points `first` ... of a run; `total` in all.

    Points below `lowest` are no longer needed: the channel forgets them. Frames of the links of a
    group meet; each table of a run lists all of its groups.
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
    """Process to orchestrator: the host on which it runs, and its rounding.

    Sent once to each `instance` of an orchestrator; an orchestrator of an earlier version refuses
    its type.
    """

    TYPE: ClassVar[int] = 28
    role: Role
    peer: Name
    origin: Origin


class PointWork(PlainMessage):
    """Everything that a transmitter needs to send the frames of a point."""

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
    offset: Index = 0  # the first item that is sent; item 0 follows the last one
    # Its index among the links of its group; None without a group.
    user: Annotated[int, Field(ge=0, lt=MAX_MEMBERS)] | None = None

    @property
    def frame_count(self) -> int:
        """Frames of the point, or of one pass through the data set in a stream."""
        return -(-self.images // self.frame_images)


class Assignment(PointWork):
    """Orchestrator to transmitter: send these frames (half-open spans) of a point."""

    TYPE: ClassVar[int] = 23
    frames: list[Span] = Field(min_length=1, max_length=MAX_ITEMS)
    lowest: Index = 0  # points below this one are complete for all members of the group

    @model_validator(mode="after")
    def _within_the_point(self) -> Self:
        total = self.frame_count
        if any(start >= stop or stop > total for start, stop in self.frames):
            raise ValueError(f"frames must be spans within 0..{total}")
        return self


class StreamAssignment(PointWork):
    """Orchestrator to transmitter: from now on offer frames at a rate, at this point.

    The frames of an epoch are numbered from 0 across its points; a new epoch discards all earlier
    frames. `images` is one pass through the data set; passes follow each other.

    In a group, all links send frame f at about the same time, and change to a new point with the
    same frame, `first_frame`, which is due in `due_in_s`; an epoch begins with that frame.
    """

    TYPE: ClassVar[int] = 27
    epoch: Index
    rate_hz: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    arrivals: Arrivals
    paused: bool = False
    first_frame: Index = 0
    due_in_s: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] | None = None


class FrameResult(Part):
    """One finished frame: the sums of its score, and the part of its answer that is kept.

    The task defines both: `semcom.tasks`.
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
    # Links of its group that it did not meet because they were late.
    absent: list[Name] = Field(
        default_factory=list, max_length=MAX_MEMBERS, exclude_if=lambda links: not links
    )


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
    """Process to orchestrator: it cannot do its work, and why."""

    TYPE: ClassVar[int] = 26
    run: Name | None = None  # the run that fails because of it; None before there was one
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
