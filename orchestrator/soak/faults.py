"""Random faults from a seed: which process is killed or stopped, when, and for how long."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import psutil

FAULT_EVERY_S = (2.0, 8.0)
STOPPED_S = (1.0, 8.0)


class Victim(Protocol):
    """A process, with psutil's interface."""

    def kill(self) -> None:
        """Send SIGKILL."""
        ...

    def suspend(self) -> None:
        """Send SIGSTOP."""
        ...

    def resume(self) -> None:
        """Send SIGCONT."""
        ...


class Faults:
    """Kills and stops processes from `begin` on; times are of the monotonic clock.

    Args:
        seed: seed of all random choices.
        counts: counter of faults, such as `kill channel`.
    """

    def __init__(self, seed: int, counts: Counter[str]) -> None:
        self._dice = random.Random(seed)
        self._counts = counts
        self._next_s = self._calm_s = math.inf
        self._stopped: list[tuple[float, Victim]] = []  # each with the time at which it is resumed

    def begin(self, now_s: float, *, calm_s: float) -> None:
        """Disturb from now until `calm_s`."""
        self._next_s = now_s + self._dice.uniform(*FAULT_EVERY_S)
        self._calm_s = calm_s

    def end(self) -> None:
        """Stop disturbing; resume stopped processes."""
        self._calm_s = 0.0
        self.resume_all()

    def tick(
        self,
        now_s: float,
        *,
        victims: Callable[[], Mapping[str, Victim]],
        before_kill: Callable[[str], None],
    ) -> None:
        """Resume processes that were stopped for long enough, and disturb one if that is due."""
        for each in [each for each in self._stopped if each[0] <= now_s]:
            _resume(each[1])
            self._stopped.remove(each)
        if self._next_s <= now_s < self._calm_s:
            self._next_s = now_s + self._dice.uniform(*FAULT_EVERY_S)
            self._disturb(now_s, victims(), before_kill)

    def resume_all(self) -> None:
        """Resume all stopped processes."""
        for _, stopped in self._stopped:
            _resume(stopped)
        self._stopped.clear()

    def _disturb(
        self, now_s: float, victims: Mapping[str, Victim], before_kill: Callable[[str], None]
    ) -> None:
        """Kill or stop a process; one that has just ended does not count."""
        kills, seconds = self._dice.random() < 0.5, self._dice.uniform(*STOPPED_S)
        if not victims:
            return
        peer = self._dice.choice(sorted(victims))
        with suppress(psutil.Error):
            if kills:
                before_kill(peer)
                victims[peer].kill()
            else:
                victims[peer].suspend()
                self._stopped.append((now_s + seconds, victims[peer]))
            self._counts[f"{'kill' if kills else 'stop'} {peer}"] += 1


def _resume(stopped: Victim) -> None:
    with suppress(psutil.Error):
        stopped.resume()
