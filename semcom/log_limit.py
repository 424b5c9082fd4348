"""Log lines of one kind, once in a while: peers must not fill a disk."""

from __future__ import annotations

MAX_KINDS = 1024


class LogLimit:
    """Says whether a line of a kind is due; lines in between are dropped."""

    def __init__(self, *, every_s: float) -> None:
        self._every_s = every_s
        self._next_s: dict[str, float] = {}

    def due(self, kind: str, now_s: float) -> bool:
        """Whether the last line of this kind is long enough ago."""
        if now_s < self._next_s.get(kind, now_s):
            return False
        if len(self._next_s) >= MAX_KINDS:
            self._next_s.clear()
        self._next_s[kind] = now_s + self._every_s
        return True
