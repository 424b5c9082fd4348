"""Accounts of a link's frames: offered = recorded + shed + lost + open, always. Pure.

Frames are numbered from 0 in every epoch of a stream, so that each is counted once, whatever
comes twice, in little memory: a low-water mark, and the numbers above it that have come early.
"""

from __future__ import annotations

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


class Account:
    """Frames of a link since the system was started."""

    def __init__(self) -> None:
        self.lost = 0
        self.duplicates = 0
        self.unaccounted = 0  # of the latest report; not 0 is an error of this software
        self._before = _Epoch()  # totals of earlier epochs
        self._epoch = _Epoch()

    @property
    def offered(self) -> int:
        """Frames that were due to be sent, as far as was reported."""
        return self._before.offered + self._epoch.offered

    @property
    def shed(self) -> int:
        """Frames that were not accepted because too many waited."""
        return self._before.shed + self._epoch.shed

    @property
    def recorded(self) -> int:
        """Frames whose result has come, each counted once."""
        return self._before.recorded + self._epoch.recorded

    @property
    def open(self) -> int:
        """Frames under way."""
        return self._epoch.open

    def begin(self) -> int:
        """A new epoch: what is open is given up. Returns how many frames that are."""
        given_up = self._epoch.open
        self.lost += given_up
        self._before.offered += self._epoch.offered
        self._before.shed += self._epoch.shed
        self._before.recorded += self._epoch.recorded
        self._epoch = _Epoch()
        self.unaccounted = 0
        return given_up

    def record(self, frame: int) -> bool:
        """A frame's result has come; whether for the first time.

        Raises:
            ValueError: no such frame can be under way.
        """
        epoch = self._epoch
        if frame < epoch.mark or frame in epoch.early:
            self.duplicates += 1
            return False
        if frame >= epoch.mark + MAX_EARLY:
            raise ValueError(f"frame {frame}, where frame {epoch.mark} is still to come")
        epoch.early.add(frame)
        while epoch.mark in epoch.early:
            epoch.early.remove(epoch.mark)
            epoch.mark += 1
        epoch.recorded += 1
        epoch.offered = max(epoch.offered, epoch.recorded + epoch.shed)
        return True

    def duplicate(self) -> None:
        """A result of an epoch that is over."""
        self.duplicates += 1

    def report(self, *, offered: int, shed: int, unrecorded: int) -> None:
        """Take the transmitter's report of this epoch; outdated reports change nothing."""
        epoch = self._epoch
        if offered < epoch.offered or shed < epoch.shed:
            return
        epoch.shed = shed
        epoch.offered = max(offered, epoch.recorded + shed)
        # The transmitter keeps a frame until it has its receipt, so it holds at least these.
        self.unaccounted = max(0, epoch.open - unrecorded)
