"""Which frames go through the decoder together. Pure: no clock, no torch.

exact        one frame is one forward pass: a frame's answer cannot depend on its neighbours
throughput   waiting frames of one codec and kind are merged, at most `max_images` of them, and
             none waits longer than `max_delay_s` for others
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, ReceivedFrame
from semcom.wire import Symbols

HEADER_BYTES = 2048  # of a frame without its payload, at most
WAITING_BYTES = 128 << 20


@dataclass(frozen=True)
class Waiting:
    """A frame that has arrived: its payload, and when."""

    frame: ReceivedFrame
    payload: Symbols
    arrived_s: float

    @property
    def size_bytes(self) -> int:
        """Memory that it takes, its header counted as next to nothing."""
        return self.payload.nbytes + HEADER_BYTES

    @property
    def answer_keys(self) -> list[FrameKey]:
        """Keys of the answers: one, or one for each of the links that were superposed."""
        key = self.frame.key
        return [key.of_link(link) for link in self.frame.links] or [key]

    @property
    def kind(self) -> tuple[str, str, int, int]:
        """Frames of one kind may share a forward pass."""
        frame = self.frame
        return frame.codec, frame.equalizer, frame.csi_columns, len(frame.links)


class Batcher:
    """A queue of frames in order of arrival."""

    def __init__(
        self,
        *,
        exact: bool,
        max_images: int,
        max_delay_s: float,
        max_bytes: int = WAITING_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._exact = exact
        self._max_images = max_images
        self._max_delay_s = max_delay_s
        self._waiting: deque[Waiting] = deque()
        self._keys: set[FrameKey] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting) -> bool:
        """A frame arrived; False where it waits already and one answer will do.

        Raises:
            ProtocolError: `overloaded`, too much waits already.
        """
        if waiting.frame.key in self._keys:
            return False
        if self._waiting and self._bytes + waiting.size_bytes > self._max_bytes:
            raise ProtocolError("overloaded", f"{self._bytes} bytes wait to be decoded")
        self._bytes += waiting.size_bytes
        self._keys.add(waiting.frame.key)
        self._waiting.append(waiting)
        return True

    def next_batch(self, now_s: float) -> list[Waiting]:
        """Frames for one forward pass, now; empty where it is better to wait."""
        batch = self._take(now_s)
        self._keys.difference_update(waiting.frame.key for waiting in batch)
        self._bytes -= sum(waiting.size_bytes for waiting in batch)
        return batch

    def wait_s(self, now_s: float, idle_s: float) -> float:
        """Seconds until the oldest frame must go, at most `idle_s`."""
        if not self._waiting:
            return idle_s
        if self._exact:
            return 0.0
        return min(idle_s, max(0.0, self._waiting[0].arrived_s + self._max_delay_s - now_s))

    def _take(self, now_s: float) -> list[Waiting]:
        if not self._waiting:
            return []
        if self._exact:
            return [self._waiting.popleft()]
        batch, rest = self._gather()
        full = sum(waiting.frame.images for waiting in batch) >= self._max_images
        if not full and now_s - batch[0].arrived_s < self._max_delay_s:
            return []
        self._waiting = deque(rest)
        return batch

    def _gather(self) -> tuple[list[Waiting], list[Waiting]]:
        batch: list[Waiting] = []
        rest: list[Waiting] = []
        kind, images = self._waiting[0].kind, 0
        for waiting in self._waiting:
            fits = not batch or images + waiting.frame.images <= self._max_images
            if waiting.kind == kind and fits:
                batch.append(waiting)
                images += waiting.frame.images
            else:
                rest.append(waiting)
        return batch, rest
