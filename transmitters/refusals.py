"""Messages that were refused, at this end or the other, as the transmitter counts them."""

from __future__ import annotations

from semcom.errors import ProtocolError
from semcom.messages import Refusal
from semcom.telemetry import Telemetry


class Refusals:
    """How many there were since the process started."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.total = 0
        self._telemetry = telemetry

    def count(self, reason: str) -> None:
        """Count one."""
        self.total += 1
        self._telemetry.count("semcom_messages_refused_total", 1, reason)

    def take(self, refusal: Refusal, *, known: bool) -> None:
        """Count that of a peer.

        Raises:
            ProtocolError: the peer never understood a word: it speaks another version.
        """
        self.count(refusal.reason)
        if refusal.reason == "version" and not known:
            raise ProtocolError(refusal.reason, refusal.detail)
