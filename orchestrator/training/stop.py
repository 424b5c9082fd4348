"""SIGTERM and Ctrl-C ask a job to save and end; it does so between two steps."""

from __future__ import annotations

from semcom.stop_signals import StopRequest

SAVING = "saving between two steps"


class StoppedError(Exception):
    """The job was asked to end, through this process or another rank's, and has saved its state."""

    def __init__(self, request: StopRequest) -> None:
        super().__init__("stopped")
        self.request = request

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return self.request.exit_code
