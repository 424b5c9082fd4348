"""One thread for heavy work, separate from the thread that owns the sockets."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from semcom.wakeup import Wakeup

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """Result of a piece of work: a value, or the exception it raised."""

    value: T | None
    error: Exception | None


class Worker(Generic[T]):
    """Runs work in order on one thread; outcomes are collected by the polling thread."""

    def __init__(self, wakeup: Wakeup, name: str) -> None:
        self._wakeup = wakeup
        self._work: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._outcomes: deque[Outcome[T]] = deque()
        self.pending = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> None:
        """Queue a piece of work."""
        self.pending += 1
        self._work.put(work)

    def outcomes(self) -> list[Outcome[T]]:
        """Return everything finished since the last call, in order."""
        finished: list[Outcome[T]] = []
        while self._outcomes:
            finished.append(self._outcomes.popleft())
        self.pending -= len(finished)
        return finished

    def close(self) -> None:
        """Finish running work, drop queued work, and stop."""
        with suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        self._work.put(None)
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                outcome: Outcome[T] = Outcome(work(), None)
            except Exception as error:
                outcome = Outcome(None, error)
            self._outcomes.append(outcome)
            self._wakeup.set()
