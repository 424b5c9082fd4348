"""Changes of a link that a chart marks: another codec, another channel, a held SNR. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any

KEPT_S = 600.0  # as the history
MAX_KEPT = 200


class LinkChanges:
    """Records changes of a link."""

    def __init__(self) -> None:
        self._before: dict[str, str] = {}
        self._rows: deque[tuple[float, str]] = deque(maxlen=MAX_KEPT)

    def note(self, uptime_s: float, **now: str) -> None:
        """Compare a link's state with the previous one; keywords are shown to users.

        The first call records nothing.
        """
        parts = [
            f"{name} {value}"
            for name, value in now.items()
            if self._before and self._before.get(name) != value
        ]
        if parts:
            self._rows.append((round(uptime_s, 4), ", ".join(parts)))
        self._before = now
        while self._rows and uptime_s - self._rows[0][0] > KEPT_S:
            self._rows.popleft()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The changes, oldest first."""
        return [{"uptime_s": uptime_s, "what": what} for uptime_s, what in self._rows]
