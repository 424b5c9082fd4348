"""Keys of a process: its own, the servers', and those of accepted peers."""

from __future__ import annotations

import logging

from semcom.keys import KeyFolder, SecurityReason
from semcom.log_limit import LogLimit
from semcom.messages import Role
from semcom.settings import SecuritySettings
from semcom.telemetry import Telemetry

REFUSED = "semcom_peers_refused_total"
SERVERS: dict[str, Role] = {
    "control": "orchestrator", "uplink": "channel", "downlink": "channel",
}  # fmt: skip
MAX_REMEMBERED = 1000
logger = logging.getLogger("semcom.security")


class Security:
    """The keys of one process, and its count of refused peers."""

    def __init__(
        self, settings: SecuritySettings, role: Role, name: str, telemetry: Telemetry
    ) -> None:
        """Read the process's own key.

        Raises:
            ConfigurationError: it is missing or cannot be read.
            AuthenticationError: it belongs to another peer.
        """
        self.keys = KeyFolder(settings.keys)
        self.own = self.keys.own(role, name)
        self._telemetry = telemetry
        self._limit = LogLimit()
        self._logged: set[tuple[str, str]] = set()

    def server_key(self, endpoint: str) -> str:
        """Return the public key of the server of an endpoint: `control`, `uplink` or `downlink`.

        Raises:
            ConfigurationError: it is missing or cannot be read.
        """
        return self.keys.server(SERVERS[endpoint]).public_key

    def refused(self, reason: SecurityReason, detail: str) -> None:
        """Count a refusal and log it once, because refused peers retry ten times per second.

        A peer with a new key each time is logged a few times per second.
        """
        self._telemetry.count(REFUSED, 1, reason)
        if (reason, detail) in self._logged or not self._limit.take():
            return
        if len(self._logged) >= MAX_REMEMBERED:
            self._logged.clear()
        self._logged.add((reason, detail))
        logger.warning("peer refused", extra={"fields": {"reason": reason, "detail": detail}})

    def log_held_back(self) -> None:
        """Log how many refusals were not logged in the seconds before."""
        count = self._limit.held_back()
        if count:
            logger.warning("more peers refused, not logged", extra={"fields": {"count": count}})


def open_security(
    settings: SecuritySettings | None, role: Role, name: str, telemetry: Telemetry
) -> Security | None:
    """Open the keys of a process, if its settings name any."""
    return None if settings is None else Security(settings, role, name, telemetry)
