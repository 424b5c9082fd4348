"""Progress of a training job: JSON lines that are read while they are written.

    {"time": 1790000000.0, "stage": "stage1", "epoch": 3, "epochs": 13, "step": 120, "steps": 390,
     "images_per_s": 283.1, "lr": 0.001, "losses": {"kd": 0.31}, "checkpoint_s": 1789999990.0}

`epoch` is the number of finished epochs, `step` the number of finished steps of the next one.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from semcom.files import open_regular

MAX_READ_BYTES = 1 << 20
MAX_LINE_BYTES = 16 << 10
PACE_LINES = 30


class ProgressLine(BaseModel):
    """One line. Losses may be NaN if a training diverges."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: FiniteFloat
    stage: str = Field(max_length=64)
    epoch: int = Field(ge=0)
    epochs: int = Field(ge=1)
    step: int = Field(ge=0)
    steps: int = Field(ge=1)
    images_per_s: float = 0.0
    lr: float = 0.0
    losses: dict[str, float] = Field(default={}, max_length=16)
    checkpoint_s: FiniteFloat | None = None

    @property
    def steps_done(self) -> int:
        """Of the stage."""
        return min(self.epoch * self.steps + self.step, self.steps_in_all)

    @property
    def steps_in_all(self) -> int:
        """Of the stage."""
        return self.epochs * self.steps

    @property
    def ratio(self) -> float:
        """Return the finished share of the stage, 0..1."""
        return self.steps_done / self.steps_in_all

    @property
    def epoch_under_way(self) -> int:
        """Counted from 1."""
        return min(self.epoch + 1, self.epochs)


class Tail:
    """Reads complete, valid lines that were added to a file since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._rest = b""
        self._skips = False  # until the end of a line whose beginning was skipped

    def read(self) -> list[ProgressLine]:
        """Return new lines; invalid ones are skipped."""
        added = self._added()  # first, because it may detect that the file was restarted
        *lines, self._rest = (self._rest + added).split(b"\n")
        if lines and self._skips:
            del lines[0]
            self._skips = False
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest, self._skips = b"", True
        return [line for line in map(_parse, lines) if line is not None]

    def _added(self) -> bytes:
        try:
            with os.fdopen(open_regular(self._path), "rb") as file:
                status = os.fstat(file.fileno())
                if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:
                    self._file = (status.st_dev, status.st_ino)
                    self._offset, self._rest, self._skips = 0, b"", False
                if status.st_size - self._offset > MAX_READ_BYTES:
                    self._offset = status.st_size - MAX_READ_BYTES
                    self._rest, self._skips = b"", True
                file.seek(self._offset)
                content = file.read(MAX_READ_BYTES)
        except OSError:  # not there yet
            return b""
        self._offset += len(content)
        return content


class Pace:
    """Tracks steps per second over the last lines of a stage."""

    def __init__(self) -> None:
        self.last: ProgressLine | None = None
        self.images_per_s = 0.0
        self._points: deque[tuple[float, int]] = deque(maxlen=PACE_LINES)

    def add(self, line: ProgressLine) -> None:
        """Add a line; a new stage, or one that went back, starts again."""
        last = self.last
        if last is not None and (
            last.stage != line.stage or line.steps_done < last.steps_done or line.time < last.time
        ):
            self._points.clear()
        self._points.append((line.time, line.steps_done))
        if line.images_per_s > 0:  # two lines at one step: the second gives no speed
            self.images_per_s = line.images_per_s
        self.last = line

    @property
    def remaining_s(self) -> float | None:
        """Return the seconds until the stage is finished; None while unknown."""
        if self.last is None or len(self._points) < 2:
            return None
        (first_s, first), (last_s, last) = self._points[0], self._points[-1]
        if last <= first:
            return None
        return (self.last.steps_in_all - last) * (last_s - first_s) / (last - first)


def _parse(line: bytes) -> ProgressLine | None:
    try:
        return ProgressLine.model_validate_json(line)
    except ValidationError:
        return None
