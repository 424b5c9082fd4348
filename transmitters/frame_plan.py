"""One frame of a point: its items, and the message to the channel. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.increments import MAX_INCREMENTS, Counts, cut
from semcom.messages import PointWork
from semcom.shards import Span
from semcom.turns import turn_of
from semcom.wire import Symbols
from transmitters.reports import Key


@dataclass(frozen=True)
class FramePlan:
    """One frame to encode and send. Frames beyond the end of the data set begin another turn."""

    assignment: PointWork
    frame: int
    round: int = 0  # round in which an ordered codeword is sent

    @property
    def key(self) -> Key:
        """Return the frame's key in flight; each round has its own number."""
        return self.assignment.run, self.assignment.point, self.number

    @property
    def recorded_key(self) -> Key:
        """Return the frame's key in the ledger, which is the same for all its rounds."""
        return self.assignment.run, self.assignment.point, self.frame

    @property
    def number(self) -> int:
        """Number of the frame in messages."""
        return self.frame * MAX_INCREMENTS + self.round if self.has_rounds else self.frame

    @property
    def has_rounds(self) -> bool:
        """Return whether the answers determine how much is sent."""
        rate = self.assignment.spec.rate
        return rate is not None and rate.confidence is not None

    @property
    def first_image(self) -> int:
        """Index of the frame's first item among those that the point sends."""
        return self._turn_and_frame[1] * self.assignment.frame_images

    @property
    def items(self) -> Span:
        """Items of the data set in the frame."""
        work = self.assignment
        first = (self.first_image + work.offset) % work.images
        return Span(first, self.images, of=work.images)

    @property
    def first_on_air(self) -> int:
        """The same, counted across turns: it keys the noise, which is new in each turn."""
        return self._turn_and_frame[0] * self.assignment.images + self.first_image

    @property
    def images(self) -> int:
        """Number of items in the frame; the last frame of a point may be shorter."""
        return min(self.assignment.frame_images, self.assignment.images - self.first_image)

    def message(self, link: str, *, symbols: int, used: bytes = b"") -> SymbolFrame:
        """Return the message to the channel; `used`: symbols of each row, empty: all."""
        work = self.assignment
        return SymbolFrame(
            key=FrameKey(run=work.run, point=work.point, link=link, frame=self.number),
            first_image=self.first_on_air,
            images=self.images,
            symbols=symbols,
            codec=work.codec_digest,
            used=used,
        )

    @property
    def _turn_and_frame(self) -> tuple[int, int]:
        work = self.assignment
        return turn_of(self.frame, frames=work.frame_count, images=work.images)


class Ordered(NamedTuple):
    """Complete ordered codewords (B, K), and the number of increments sent (B,)."""

    codewords_BK: Symbols
    counts_B: Counts
    lengths: tuple[int, ...]

    def sent(self, encoded: Encoded) -> Encoded:
        """Return what is sent of a frame."""
        symbols_BK, used = cut(self.codewords_BK, self.counts_B, self.lengths)
        return replace(encoded, symbols_BK=symbols_BK, used=used, ordered=self)


@dataclass(frozen=True)
class Encoded:
    """A frame's symbols_BK, and the duration of the encoding.

    `used`: number of symbols sent for each row, in the form of messages.
    """

    plan: FramePlan
    symbols_BK: Symbols
    encode_ms: float
    used: bytes = b""
    ordered: Ordered | None = None

    def message(self, link: str) -> SymbolFrame:
        """Return the message to the channel."""
        return self.plan.message(link, symbols=self.symbols_BK.shape[1], used=self.used)
