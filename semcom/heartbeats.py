"""When each role was last heard of: what a process needs to know to call itself ready."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from semcom.messages import Role
from semcom.metric_table import PEERS
from semcom.telemetry import Telemetry

DEAD_AFTER_S = 3.0


class Attention:
    """Tracks whether this end has listened; after a pause it has unread messages."""

    def __init__(self, every_s: float) -> None:
        """Expect `listened` to be called every so many seconds."""
        self._every_s = every_s
        self._last_s = -math.inf

    def listened(self, now_s: float) -> bool:
        """Return whether silence since the last call is the peers', not a pause of this end."""
        last_s, self._last_s = self._last_s, now_s
        return now_s - last_s <= 2 * self._every_s


class Heartbeats:
    """Roles that this process hears from; the ages are computed at every scrape."""

    def __init__(
        self, role: Role, telemetry: Telemetry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._begun_s = clock()
        self._heard_s: dict[str, float] = {}
        for peer in PEERS[role]:
            telemetry.follow("semcom_heartbeat_age_seconds", lambda p=peer: self.age_s(p), peer)  # type: ignore[misc]

    def heard(self, role: Role) -> None:
        """A peer of this role has just said that it is there."""
        self._heard_s[role] = self._clock()
        self._telemetry.count("semcom_heartbeats_total", 1, role)

    def fresh(self, role: Role) -> bool:
        """Return whether a peer of this role was heard of in the last `DEAD_AFTER_S`."""
        return role in self._heard_s and self.age_s(role) <= DEAD_AFTER_S

    def age_s(self, role: str) -> float:
        """Seconds since a peer of this role was heard of, or since this process began."""
        return self._clock() - self._heard_s.get(role, self._begun_s)
