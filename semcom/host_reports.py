"""Report a process's host to the orchestrator, once to each of its instances."""

from __future__ import annotations

from collections.abc import Callable

from semcom.fingerprint import EngineRounding, own_origin
from semcom.messages import HostReport, Role


class HostReporter:
    """Sends the report of one process."""

    def __init__(self, role: Role, peer: str, rounding: EngineRounding | None = None) -> None:
        """Take the process's role and name, and its rounding, which may be set later."""
        self._role: Role = role
        self._peer = peer
        self._report: HostReport | None = None
        self._met = ""  # the latest orchestrator
        self._told = ""
        if rounding is not None:
            self.computed(rounding)

    def computed(self, rounding: EngineRounding) -> None:
        """Set the rounding of this process."""
        origin = own_origin({self._role: rounding})
        self._report = HostReport(role=self._role, peer=self._peer, origin=origin)

    def met(self, instance: str, send: Callable[[HostReport], bool]) -> None:
        """Note that an orchestrator has answered, and report to it; a new instance has no state."""
        self._met = instance
        self.send(send)

    def send(self, send: Callable[[HostReport], bool]) -> None:
        """Send the report to an orchestrator that lacks it; if that fails, retry later."""
        if self._report is not None and self._met != self._told and send(self._report):
            self._told = self._met
