"""Accounts of a link's frames: offered = recorded + shed + lost + open at all times. Pure.

Frames are numbered from 0 in every epoch of a stream, so that each is counted once despite
duplicates, in little memory: a low-water mark, and the numbers above it that arrived early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_EARLY = 65_536


@dataclass
class _Epoch:
    offered: int = 0
    shed: int = 0
    recorded: int = 0
    mark: int = 0  # every frame below is recorded
    early: set[int] = field(default_factory=set)

    @property
    def open(self) -> int:
        return self.offered - self.shed - self.recorded

    def advance(self) -> None:
        while self.mark in self.early:
            self.early.remove(self.mark)
            self.mark += 1

    def advance_to(self, lowest: int) -> None:
        """Note that no frame below is open: in groups, shed frames have numbers, too."""
        if lowest > self.mark:
            self.mark = lowest
            self.early = {frame for frame in self.early if frame >= lowest}
            self.advance()


class Account:
    """Frames of a link since the system was started."""

    def __init__(self) -> None:
        self.lost = 0
        self.duplicates = 0
        self.absent: Counter[str] = Counter()  # recorded frames that did not meet these links
        self.incomplete = 0  # recorded frames that did not meet all links of their group
        self.unaccounted = 0  # of the latest report; a value other than 0 is a bug
        self._before = _Epoch()  # totals of earlier epochs
        self._epoch = _Epoch()

    @property
    def offered(self) -> int:
        """Frames that were due to be sent, according to reports."""
        return self._before.offered + self._epoch.offered

    @property
    def shed(self) -> int:
        """Frames that were not accepted because too many waited."""
        return self._before.shed + self._epoch.shed

    @property
    def recorded(self) -> int:
        """Frames whose result has arrived, each counted once."""
        return self._before.recorded + self._epoch.recorded

    @property
    def open(self) -> int:
        """Frames in flight or waiting."""
        return self._epoch.open

    def begin(self) -> int:
        """Begin an epoch; return the number of open frames, which are given up."""
        given_up = self._epoch.open
        self.lost += given_up
        self._before.offered += self._epoch.offered
        self._before.shed += self._epoch.shed
        self._before.recorded += self._epoch.recorded
        self._epoch = _Epoch()
        self.unaccounted = 0
        return given_up

    def starts_with(self, frame: int) -> None:
        """Number the frames of the epoch from this one on."""
        self._epoch.mark = frame

    def met_without(self, absent: Sequence[str]) -> None:
        """Count a recorded frame for which some links of its group were too late."""
        self.incomplete += bool(absent)
        self.absent.update(absent)

    def record(self, frame: int) -> bool:
        """Record a frame's result; return whether it is the first one.

        Raises:
            ValueError: there can be no such frame.
        """
        epoch = self._epoch
        if frame < epoch.mark or frame in epoch.early:
            self.duplicates += 1
            return False
        if frame >= epoch.mark + MAX_EARLY:
            raise ValueError(f"frame {frame}, although frame {epoch.mark} is still missing")
        epoch.early.add(frame)
        epoch.advance()
        epoch.recorded += 1
        epoch.offered = max(epoch.offered, epoch.recorded + epoch.shed)
        return True

    def duplicate(self) -> None:
        """Count a result of an epoch that has ended."""
        self.duplicates += 1

    def report(self, *, offered: int, shed: int, unrecorded: int, lowest: int = 0) -> None:
        """Process the transmitter's report of this epoch; outdated reports have no effect.

        No frame below `lowest` is open.
        """
        epoch = self._epoch
        if offered < epoch.offered or shed < epoch.shed:
            return
        epoch.shed = shed
        epoch.offered = max(offered, epoch.recorded + shed)
        epoch.advance_to(lowest)
        # The transmitter keeps a frame until it has its receipt, so it holds at least these.
        self.unaccounted = max(0, epoch.open - unrecorded)
