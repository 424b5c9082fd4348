"""The limit on frames that are being encoded or in flight, in frames and in bytes. Pure."""

from __future__ import annotations

from semcom.frame_messages import MAX_SYMBOLS
from semcom.messages import PointWork


class Window:
    """The window of a link; the next frame is assumed to be as large as the last one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frame_bytes: int | None = None  # of the last frame encoded

    def encoded(self, frame_bytes: int) -> None:
        """Note the size of an encoded frame in bytes."""
        self._frame_bytes = frame_bytes

    def has_room(self, work: PointWork, *, encoding: int, in_flight: int, held_bytes: int) -> bool:
        """Return whether another frame may be encoded; one always may be."""
        frames = encoding + in_flight
        if frames == 0:
            return True
        # Until the first frame is encoded, the longest possible codewords are assumed.
        frame_bytes = self._frame_bytes or work.frame_images * MAX_SYMBOLS * 8
        ahead = (encoding + 1) * frame_bytes
        return frames < work.window and held_bytes + ahead <= self._max_bytes
