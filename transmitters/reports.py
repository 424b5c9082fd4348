"""Results without a receipt from the ledger: reported repeatedly, up to a bound. Pure.

A transmitter whose results are not acknowledged accepts no more frames once they fill the bound.
So none is lost: a sweep waits, and a stream sheds frames that are due meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from semcom.messages import FrameResult, Results

RESULTS_TIMEOUT_S = 2.0
RESULTS_PER_MESSAGE = 16
MESSAGES_AT_ONCE = 64
RESULT_BYTES = 2048  # bytes of a result without its answer and score
SUM_BYTES = 160  # bytes of a sum of the score

Key = tuple[str, int, int]  # run, point, frame


@dataclass
class _Waiting:
    result: FrameResult
    codec: str
    sent_s: float = -inf

    @property
    def size_bytes(self) -> int:
        return RESULT_BYTES + SUM_BYTES * len(self.result.score) + len(self.result.answer)


class Reports:
    """The results of a link that wait for their receipts."""

    def __init__(self, link: str, *, max_bytes: int) -> None:
        self._link = link
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: dict[Key, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Return whether so many results wait that no more frames should be accepted."""
        return self._bytes >= self._max_bytes

    def add(self, key: Key, result: FrameResult, *, codec: str) -> None:
        """Report a result until it is recorded."""
        self.forget(key)
        waiting = self._waiting[key] = _Waiting(result, codec)
        self._bytes += waiting.size_bytes

    def forget(self, key: Key) -> None:
        """Forget a result that was recorded or is no longer needed."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._bytes -= waiting.size_bytes

    def keep_only(self, kept: Callable[[tuple[str, int]], bool]) -> None:
        """Forget results of all other runs and points."""
        for key in [key for key in self._waiting if not kept(key[:2])]:
            self.forget(key)

    def due(self, now_s: float) -> list[Results]:
        """Return results that were not reported yet or whose receipt is overdue, up to a limit."""
        due: dict[tuple[str, str], list[FrameResult]] = {}
        left = MESSAGES_AT_ONCE * RESULTS_PER_MESSAGE
        for key, waiting in self._waiting.items():
            if now_s - waiting.sent_s >= RESULTS_TIMEOUT_S:
                waiting.sent_s = now_s
                due.setdefault((key[0], waiting.codec), []).append(waiting.result)
                left -= 1
                if not left:
                    break
        return [
            Results(
                run=run, link=self._link, codec=codec, results=chunk[at : at + RESULTS_PER_MESSAGE]
            )
            for (run, codec), chunk in due.items()
            for at in range(0, len(chunk), RESULTS_PER_MESSAGE)
        ]

    def unsent(self, message: Results) -> None:
        """Mark results as due at once, because their message could not be sent."""
        for result in message.results:
            waiting = self._waiting.get((message.run, result.point, result.frame))
            if waiting is not None:
                waiting.sent_s = -inf
