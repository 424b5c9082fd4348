"""The codec of a link, and the change to another one while the link streams. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.plan.plan import PlannedCodec


@dataclass
class CodecChange:
    """A codec on its way into a link: loaded by receivers, then sent with, then done."""

    codec: PlannedCodec
    before: PlannedCodec
    point: int | None = None  # the first one with it
    outcome: str | None = None  # "" once it serves, else why it was refused


class LinkCodec:
    """The codec that a link sends with, and the change that is under way, if any."""

    def __init__(self, codec: PlannedCodec) -> None:
        self.now = codec
        self.change: CodecChange | None = None

    @property
    def wanted(self) -> list[PlannedCodec]:
        """Codecs that receivers have to load."""
        return [self.now] if self.change is None else [self.now, self.change.codec]

    def begin(self, codec: PlannedCodec) -> CodecChange:
        """Begin a change, which is over at once if that codec serves already."""
        change = CodecChange(codec, self.now)
        if codec.digest == self.now.digest:
            change.outcome = ""
        else:
            self.change = change
        return change

    def go_on(self, holders: CodecHolders) -> None:
        """Once all receivers have loaded or refused the new codec, change over or give up."""
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
        """The link has a new point: the first one with the codec of a change, if it sends that."""
        change = self.change
        if change is not None and change.point is None and self.now is change.codec:
            change.point = point

    def served(self, point: int) -> None:
        """A frame of a point has come through: a change up to there is done."""
        change = self.change
        if change is not None and change.point is not None and point >= change.point:
            change.outcome, self.change = "", None

    def take_back(self, why: str) -> bool:
        """Go back to the codec before where frames are sent with a new one; whether they are."""
        change = self.change
        if change is None or change.point is None:
            return False
        change.outcome, self.change = why, None
        self.now = change.before
        return True
