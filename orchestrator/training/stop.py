"""SIGTERM and Ctrl-C ask a job to save and end; it does so between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    """Whether, and by which signal, this process was asked to end."""

    signal: int = 0

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal ended: 143 or 130."""
        return 128 + (self.signal or signal.SIGTERM)


class StoppedError(Exception):
    """The job was asked to end, through this process or another rank's, and has saved its state."""

    def __init__(self, request: StopRequest) -> None:
        super().__init__("stopped")
        self.request = request

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return self.request.exit_code


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn the signals into a request while the context lasts."""
    request = StopRequest()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        request.signal = number

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
