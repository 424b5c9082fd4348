"""Intervals: work that is due repeatedly."""

from __future__ import annotations


class Interval:
    """Something that is due every so many seconds; turns that were missed are not made up for."""

    def __init__(self, every_s: float, now_s: float) -> None:
        self.next_s = now_s
        self._every_s = every_s

    def due(self, now_s: float) -> bool:
        """Return whether it is due now; then the next turn is set."""
        if now_s < self.next_s:
            return False
        self.next_s = max(now_s, self.next_s + self._every_s)
        return True
