"""The codec of a link, and the change to another one while the link streams. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.plan.plan import PlannedCodec


@dataclass
class CodecChange:
    """A change of codec: loaded by receivers, then used by the transmitter, then finished."""

    codec: PlannedCodec
    before: PlannedCodec
    point: int | None = None  # first point with the new codec
    outcome: str | None = None  # "" once it is in use, else why it was refused


class LinkCodec:
    """The codec of a link, and the pending change, if any."""

    def __init__(self, codec: PlannedCodec) -> None:
        self.now = codec
        self.change: CodecChange | None = None

    @property
    def wanted(self) -> list[PlannedCodec]:
        """Codecs that receivers must load."""
        return [self.now] if self.change is None else [self.now, self.change.codec]

    def begin(self, codec: PlannedCodec) -> CodecChange:
        """Begin a change, which is finished at once if the codec is already in use."""
        change = CodecChange(codec, self.now)
        if codec.digest == self.now.digest:
            change.outcome = ""
        else:
            self.change = change
        return change

    def go_on(self, holders: CodecHolders) -> None:
        """Once all receivers have loaded or refused the new codec, use it or give up."""
        change = self.change
        if change is None or change.point is not None or self.now is change.codec:
            return
        digest = change.codec.digest
        if not holders.decided(digest):
            return
        if holders.loaded(digest):
            self.now = change.codec
        elif refused := holders.why_refused(digest):
            change.outcome, self.change = refused, None

    def moved_to(self, point: int) -> None:
        """Note a new point of the link: the first one with the new codec, if it is used."""
        change = self.change
        if change is not None and change.point is None and self.now is change.codec:
            change.point = point

    def served(self, point: int) -> None:
        """Note that a frame of a point was answered, which finishes changes up to it."""
        change = self.change
        if change is not None and change.point is not None and point >= change.point:
            change.outcome, self.change = "", None

    def take_back(self, why: str) -> bool:
        """Go back to the previous codec if frames are sent with the new one.

        Return whether they are.
        """
        change = self.change
        if change is None or change.point is None:
            return False
        change.outcome, self.change = why, None
        self.now = change.before
        return True
