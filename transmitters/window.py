"""How many frames may be encoding or in flight at a time, in frames and in bytes. Pure."""

from __future__ import annotations

from semcom.frame_messages import MAX_SYMBOLS
from semcom.messages import PointWork


class Window:
    """The window of a link; it takes the size of the next frame to be that of the last one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frame_bytes: int | None = None  # of the last frame encoded

    def encoded(self, frame_bytes: int) -> None:
        """A frame was encoded to so many bytes."""
        self._frame_bytes = frame_bytes

    def has_room(self, work: PointWork, *, encoding: int, in_flight: int, held_bytes: int) -> bool:
        """Whether another frame may be encoded; one always may be."""
        frames = encoding + in_flight
        if frames == 0:
            return True
        # Until the first frame is encoded, the longest codewords that there can be.
        frame_bytes = self._frame_bytes or work.frame_images * MAX_SYMBOLS * 8
        ahead = (encoding + 1) * frame_bytes
        return frames < work.window and held_bytes + ahead <= self._max_bytes
