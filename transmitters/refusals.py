"""Count messages that were refused at this end or by a peer."""

from __future__ import annotations

from semcom.errors import ProtocolError
from semcom.messages import Refusal
from semcom.telemetry import Telemetry


class Refusals:
    """The number of refusals since the process started."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.total = 0
        self._telemetry = telemetry

    def count(self, reason: str) -> None:
        """Count one."""
        self.total += 1
        self._telemetry.count("semcom_messages_refused_total", 1, reason)

    def take(self, refusal: Refusal, *, known: bool) -> None:
        """Count a peer's refusal.

        Raises:
            ProtocolError: the peer has another version of the protocol.
        """
        self.count(refusal.reason)
        if refusal.reason == "version" and not known:
            raise ProtocolError(refusal.reason, refusal.detail)
