"""The messages of a frame's path. They are frequent, so msgspec reads and writes them.

Fields are checked when a message is read from bytes; code that creates one is trusted. The format
is that of `semcom.messages`, whose other messages use pydantic.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct
from pydantic_core import core_schema

from semcom.groups import MAX_MEMBERS
from semcom.names import NAME_PATTERN
from semcom.points import SNR_MAX_DB, SNR_MIN_DB, EqualizerMethod

MAX_FRAME_IMAGES = 4096
MAX_SYMBOLS = 4096
MAX_CSI_COLUMNS = 4096
MAX_MS = 1e9
MAX_MEASURED_DB = 400.0

NameText = Annotated[str, Meta(pattern=NAME_PATTERN.removesuffix("$") + r"\Z")]
DigestText = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
FrameIndex = Annotated[int, Meta(ge=0, lt=2**31)]
Images = Annotated[int, Meta(ge=1, le=MAX_FRAME_IMAGES)]
SymbolCount = Annotated[int, Meta(ge=1, le=MAX_SYMBOLS)]
CsiColumns = Annotated[int, Meta(ge=0, le=MAX_CSI_COLUMNS)]
Ms = Annotated[float, Meta(ge=0, le=MAX_MS)]
SetDb = Annotated[float, Meta(ge=SNR_MIN_DB, le=SNR_MAX_DB)]
FoundDb = Annotated[float, Meta(ge=-MAX_MEASURED_DB, le=MAX_MEASURED_DB)] | None
UsedBytes = Annotated[bytes, Meta(max_length=2 * MAX_FRAME_IMAGES)]
LinkNames = Annotated[list[NameText], Meta(max_length=MAX_MEMBERS)]
SeedNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]


def _sent(default: Any) -> Any:
    """Return a field that is sent even with its default, despite `omit_defaults`.

    A default from a factory is not compared, so it is always sent.
    """
    return msgspec.field(default_factory=lambda: default)


class FrameKey(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Name of a frame on its entire path."""

    run: NameText
    point: FrameIndex
    link: NameText
    frame: FrameIndex

    def of_link(self, link: str) -> FrameKey:
        """Return the key of the same frame of another link."""
        return FrameKey(run=self.run, point=self.point, link=link, frame=self.frame)

    def fields(self) -> dict[str, str | int]:
        """Return its parts by their names."""
        return msgspec.structs.asdict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Allow pydantic messages to contain a key."""
        del source, handler
        return core_schema.no_info_plain_validator_function(
            _as_key,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.fields),
        )


class FrameMessage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the messages of a frame's path."""

    TYPE: ClassVar[int]

    key: FrameKey


class SymbolFrame(
    FrameMessage, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """Codewords of one frame. Payload: complex64 (images, symbols).

    `used`, a u16 per codeword, says how many of its symbols are sent; empty: all symbols of all
    codewords. It is then omitted, so such frames are as in earlier versions.
    """

    TYPE: ClassVar[int] = 10
    first_image: FrameIndex
    images: Images
    symbols: SymbolCount
    codec: DigestText
    used: UsedBytes = b""


class ReceivedFrame(
    FrameMessage, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A frame after the channel. Payload: complex64 (images, csi_columns + symbols).

    The first columns hold the channel state of each codeword: one gain, one per symbol, or others.
    If frames of several links were superposed, `links` names all of them, that of `key` first; each
    gets its own TaskResult, and the channel state has one gain per link, in that order. `absent`
    names links whose frames did not arrive in time: they sent nothing and, if superposed, get no
    answer; `key` is then that of the first link present. `first_image` and `seed` key what a
    receiver draws; `snr_measured_db` is the power of the faded symbols over that of the noise.
    """

    TYPE: ClassVar[int] = 11
    images: Images
    symbols: SymbolCount
    codec: DigestText
    csi_columns: CsiColumns
    snr_db: SetDb
    equalizer: EqualizerMethod
    channel_ms: Ms
    snr_measured_db: FoundDb = _sent(None)
    links: LinkNames = _sent([])
    first_image: FrameIndex = _sent(0)
    seed: SeedNumber = _sent(0)
    used: UsedBytes = b""
    absent: LinkNames = []

    @property
    def answered_links(self) -> list[str]:
        """Links that get an answer: that of the key, or the superposed ones that are present."""
        return [link for link in self.links if link not in self.absent] or [self.key.link]


class TaskResult(
    FrameMessage, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """The receiver's answer and the frame's acknowledgement.

    `absent` is copied from the ReceivedFrame: links that did not meet this frame.
    Payload: the answers as bytes, in the form that the codec's task states.
    """

    TYPE: ClassVar[int] = 12
    codec: DigestText
    channel_ms: Ms
    batch_wait_ms: Ms
    decode_ms: Ms
    snr_measured_db: FoundDb = _sent(None)
    absent: LinkNames = []


write_header = msgspec.msgpack.Encoder().encode
_READERS: dict[type[FrameMessage], msgspec.msgpack.Decoder[Any]] = {
    each: msgspec.msgpack.Decoder(each) for each in (SymbolFrame, ReceivedFrame, TaskResult)
}


def read_header(message_type: type[FrameMessage], header: bytes) -> FrameMessage:
    """Read a header; a duplicate key is not detected.

    Raises:
        ValueError: it is not valid.
    """
    message: FrameMessage = _READERS[message_type].decode(header)
    return message


def _as_key(value: Any) -> FrameKey:
    return value if isinstance(value, FrameKey) else msgspec.convert(value, FrameKey, strict=True)
