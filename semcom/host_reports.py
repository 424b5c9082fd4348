"""Tell the orchestrator which host a process is on: once, to each instance of it."""

from __future__ import annotations

from collections.abc import Callable

from semcom.fingerprint import EngineRounding, own_origin
from semcom.messages import HostReport, Role


class HostReporter:
    """Report of one process."""

    def __init__(self, role: Role, peer: str, rounding: EngineRounding | None = None) -> None:
        """Take the process's role and name, and how it rounds; that may come later."""
        self._role: Role = role
        self._peer = peer
        self._report: HostReport | None = None
        self._met = ""  # the latest orchestrator
        self._told = ""
        if rounding is not None:
            self.computed(rounding)

    def computed(self, rounding: EngineRounding) -> None:
        """Take how this process rounds."""
        origin = own_origin({self._role: rounding})
        self._report = HostReport(role=self._role, peer=self._peer, origin=origin)

    def met(self, instance: str, send: Callable[[HostReport], bool]) -> None:
        """Note that an orchestrator has answered, and tell it; a new instance knows nothing."""
        self._met = instance
        self.send(send)

    def send(self, send: Callable[[HostReport], bool]) -> None:
        """Tell an orchestrator that was not told yet; what could not be sent is sent later."""
        if self._report is not None and self._met != self._told and send(self._report):
            self._told = self._met
