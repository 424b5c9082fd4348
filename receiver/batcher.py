"""Choose the frames that are decoded together. Pure: no clock, no torch.

exact        one frame is one forward pass: a frame's answer cannot depend on its neighbours
throughput   waiting frames of one codec and kind are merged, at most `max_images` of them, and
             none waits longer than `max_delay_s` for others
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, ReceivedFrame
from semcom.wire import Symbols

HEADER_BYTES = 2048  # largest size of a frame without its payload
WAITING_BYTES = 128 << 20

Kind = tuple[str, str, int, int]  # codec, equalizer, columns of channel state, links


class Waiting(NamedTuple):
    """An arrived frame with its payload and time."""

    frame: ReceivedFrame
    payload: Symbols
    arrived_s: float

    @property
    def size_bytes(self) -> int:
        """Its memory, without the header."""
        return self.payload.nbytes + HEADER_BYTES

    @property
    def answer_keys(self) -> list[FrameKey]:
        """Keys of the answers: one, or one for each superposed link."""
        key = self.frame.key
        return [key.of_link(link) for link in self.frame.links] or [key]

    @property
    def kind(self) -> Kind:
        """Frames of one kind may share a forward pass."""
        frame = self.frame
        return frame.codec, frame.equalizer, frame.csi_columns, len(frame.links)


Queue = deque[tuple[int, Waiting]]  # each with its place in the order of arrival


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
        self._waiting: dict[Kind | None, Queue] = {}  # by kind; None: all, in exact mode
        self._images: Counter[Kind | None] = Counter()
        self._keys: set[FrameKey] = set()
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, waiting: Waiting) -> bool:
        """Add a frame; return False if it is already waiting, so that one answer is enough.

        Raises:
            ProtocolError: `overloaded`, too much is waiting already.
        """
        key, size_bytes = waiting.frame.key, waiting.size_bytes
        if key in self._keys:
            return False
        if self._keys and self._bytes + size_bytes > self._max_bytes:
            raise ProtocolError("overloaded", f"{self._bytes} bytes wait to be decoded")
        self._bytes += size_bytes
        self._keys.add(key)
        kind = None if self._exact else waiting.kind
        self._waiting.setdefault(kind, deque()).append((self._arrived, waiting))
        self._images[kind] += waiting.frame.images
        self._arrived += 1
        return True

    def next_batch(self, now_s: float) -> list[Waiting]:
        """Return frames for one forward pass now; empty if it is better to wait."""
        batch = self._take(now_s)
        for waiting in batch:
            self._keys.remove(waiting.frame.key)
            self._bytes -= waiting.size_bytes
        return batch

    def wait_s(self, now_s: float, idle_s: float) -> float:
        """Return the seconds until the oldest frame must be decoded, at most `idle_s`."""
        if not self._waiting:
            return idle_s
        if self._exact:
            return 0.0
        oldest = self._waiting[self._oldest()][0][1]
        return min(idle_s, max(0.0, oldest.arrived_s + self._max_delay_s - now_s))

    def _oldest(self) -> Kind | None:
        """Return the kind of the frame that came first."""
        return min(self._waiting, key=lambda kind: self._waiting[kind][0][0])

    def _take(self, now_s: float) -> list[Waiting]:
        if not self._waiting:
            return []
        kind = self._oldest()
        queue = self._waiting[kind]
        overdue = now_s - queue[0][1].arrived_s >= self._max_delay_s
        if not self._exact and not overdue and self._images[kind] < self._max_images:
            return []
        batch, passed_over = self._gather(queue)
        images = sum(waiting.frame.images for waiting in batch)
        if not self._exact and not overdue and images < self._max_images:
            return []
        for _ in range(len(batch) + len(passed_over)):
            queue.popleft()
        queue.extendleft(reversed(passed_over))
        self._images[kind] -= images
        if not queue:
            del self._waiting[kind], self._images[kind]
        return batch

    def _gather(self, queue: Queue) -> tuple[list[Waiting], list[tuple[int, Waiting]]]:
        """Return the frames of a forward pass, and those between them that do not fit."""
        batch: list[Waiting] = []
        passed_over: list[tuple[int, Waiting]] = []
        images = 0
        for place, waiting in queue:
            if not batch or images + waiting.frame.images <= self._max_images:
                batch.append(waiting)
                images += waiting.frame.images
            else:
                passed_over.append((place, waiting))
            if self._exact or images >= self._max_images:
                break
        return batch, passed_over
