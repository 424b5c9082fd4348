"""Time of the last message of each role, which determines whether a process is ready."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from semcom.messages import Role
from semcom.metric_table import PEERS
from semcom.telemetry import Telemetry

DEAD_AFTER_S = 3.0


class Attention:
    """Tracks whether this end was listening; after a pause it has unread messages."""

    def __init__(self, every_s: float) -> None:
        """Expect `listened` to be called at this interval in seconds."""
        self._every_s = every_s
        self._last_s = -math.inf

    def listened(self, now_s: float) -> bool:
        """Return whether silence since the last call is the peers', not a pause of this end."""
        last_s, self._last_s = self._last_s, now_s
        return now_s - last_s <= 2 * self._every_s


class Heartbeats:
    """Tracks the roles from which this process gets messages; ages are computed at every scrape."""

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
        """Note that a message of a peer of this role has just arrived."""
        self._heard_s[role] = self._clock()
        self._telemetry.count("semcom_heartbeats_total", 1, role)

    def fresh(self, role: Role) -> bool:
        """Return whether a message of this role arrived in the last `DEAD_AFTER_S`."""
        return role in self._heard_s and self.age_s(role) <= DEAD_AFTER_S

    def age_s(self, role: str) -> float:
        """Return the seconds since a message of this role arrived, or since this process began."""
        return self._clock() - self._heard_s.get(role, self._begun_s)
