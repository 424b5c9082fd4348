"""When a process tells the orchestrator which host it is on: once, to each that it meets."""

from __future__ import annotations

from collections.abc import Callable

from semcom.fingerprint import EngineRounding, own_origin
from semcom.messages import HostReport, Role


class HostReporter:
    """What one process has to tell."""

    def __init__(self, role: Role, peer: str) -> None:
        """Take the process's role and name; how it rounds takes a moment and comes later."""
        self._role: Role = role
        self._peer = peer
        self._report: HostReport | None = None
        self._met = ""  # the latest orchestrator
        self._told = ""

    def computed(self, rounding: EngineRounding) -> None:
        """Take how this process rounds."""
        origin = own_origin({self._role: rounding})
        self._report = HostReport(role=self._role, peer=self._peer, origin=origin)

    def met(self, instance: str) -> None:
        """Note that an orchestrator has answered; a new instance knows nothing yet."""
        self._met = instance

    def send(self, send: Callable[[HostReport], bool]) -> None:
        """Tell an orchestrator that was not told yet; what could not be sent is sent again."""
        if self._report is not None and self._met != self._told and send(self._report):
            self._told = self._met
