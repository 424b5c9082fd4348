"""Limit the log lines that peers can cause."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

LINES_PER_S = 5
MAX_KINDS = 1024


class LogLimit:
    """Lets a number of lines per second through and counts those held back."""

    def __init__(
        self, lines_per_s: int = LINES_PER_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines_per_s = lines_per_s
        self._clock = clock
        self._begun_s = clock()
        self._lines = 0
        self._held_back = 0

    def take(self) -> bool:
        """Return whether a line may be written now; count it otherwise."""
        if self._clock() - self._begun_s >= 1.0:
            self._begun_s, self._lines = self._clock(), 0
        if self._lines < self._lines_per_s:
            self._lines += 1
            return True
        self._held_back += 1
        return False

    def held_back(self) -> int:
        """Return how many lines were held back since the last report; 0 within the same second."""
        if not self._held_back or self._clock() - self._begun_s < 1.0:
            return 0
        count, self._held_back = self._held_back, 0
        return count


class KindLimit:
    """Decides whether a line of a kind is due; lines in between are dropped.

    Peers may choose kinds, with a new name each time, so all kinds together get no more lines per
    second than a `LogLimit` lets through.
    """

    def __init__(self, *, every_s: float) -> None:
        self._every_s = every_s
        self._next_s: dict[str, float] = {}
        self._now_s = -math.inf
        self._all_kinds = LogLimit(clock=lambda: self._now_s)

    def due(self, kind: str, now_s: float) -> bool:
        """Return whether enough time has passed since the last line of this kind."""
        self._now_s = now_s
        if now_s < self._next_s.get(kind, now_s) or not self._all_kinds.take():
            return False
        if len(self._next_s) >= MAX_KINDS:
            self._next_s.clear()
        self._next_s[kind] = now_s + self._every_s
        return True
