"""The times of a group's slots on this process's clock, common to all links. Pure.

The orchestrator states repeatedly in how many seconds a slot is due. Messages are delayed in
transit or by a busy process, so the earliest of the recent statements counts.
"""

from __future__ import annotations

import math
from collections import deque

WORDS = 32  # number of statements remembered, so that clock drift is followed
MAX_BEHIND_S = 60.0  # after a longer pause of the process, slots in between are skipped


class SlotClock:
    """Slots at a rate."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._zeros_s: deque[float] = deque(maxlen=WORDS)  # time of slot 0, by statement

    def agree(self, slot: int, *, due_s: float) -> None:
        """Note a statement of when a slot is due."""
        self._zeros_s.append(due_s - slot / self._rate_hz)

    def due_s(self, slot: int) -> float:
        """Return when a slot is due."""
        return min(self._zeros_s) + slot / self._rate_hz

    def due(self, first: int, now_s: float) -> tuple[int, int]:
        """Return the first due slot from `first` on, and the number of due slots."""
        end = math.floor((now_s - min(self._zeros_s)) * self._rate_hz + 1e-6) + 1
        if end - first > MAX_BEHIND_S * self._rate_hz:
            return end - 1, 1
        return first, max(0, end - first)
