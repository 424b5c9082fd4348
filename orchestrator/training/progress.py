"""The progress of a running job: a bar, lines of JSON for the job queue, TensorBoard."""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TimeRemainingColumn

from orchestrator.cli.terminal import Words, progress_bar
from semcom.errors import StorageError

logger = logging.getLogger("orchestrator.training")

EVERY_S = 2.0


class Reporter(Protocol):
    """The interface to which a stage reports its progress."""

    def start(self, stage: str, *, epochs: int, steps: int, done: int) -> None:
        """Begin a stage, or continue it after `done` steps."""
        ...

    @property
    def is_due(self) -> bool:
        """Return whether it is time to read the losses again, which waits for the device."""
        ...

    def step(self, epoch: int, step: int, **values: Any) -> None:
        """Report the state of a step: images_per_s, lr, losses, checkpoint_s."""
        ...

    def note(self, what: str, done: int, total: int) -> None:
        """Report a long operation between stages, of which `done` of `total` parts are finished."""
        ...


class Silent:
    """The reporter of every rank but the first."""

    is_due = False

    def start(self, stage: str, *, epochs: int, steps: int, done: int) -> None:
        """Say nothing."""

    def step(self, epoch: int, step: int, **values: Any) -> None:
        """Say nothing."""

    def note(self, what: str, done: int, total: int) -> None:
        """Say nothing."""


class JobReporter:
    """Progress bar, `progress.jsonl` and TensorBoard events of one job."""

    def __init__(self, progress: Progress, lines: Path, events: Path, *, items: str) -> None:
        """Create the reporter; `items` is the word for what the job trains on."""
        self._progress = progress
        self._items = items
        self._lines = lines
        self._events = events
        self._writer: Any = None
        self._bar: TaskID | None = None
        self._stage = ""
        self._epochs = self._steps = 0
        self._next_s = 0.0
        with _storage_errors(lines):
            lines.parent.mkdir(parents=True, exist_ok=True)

    def start(self, stage: str, *, epochs: int, steps: int, done: int) -> None:
        """Add a bar for the stage."""
        self._begin(stage, epochs=epochs, steps=steps, done=done)

    @property
    def is_due(self) -> bool:
        """Return whether two seconds have passed."""
        return time.monotonic() >= self._next_s

    def step(self, epoch: int, step: int, **values: Any) -> None:
        """Write a line and a point for TensorBoard, and update the bar."""
        self._next_s = time.monotonic() + EVERY_S
        losses: dict[str, float] = values["losses"]
        done = epoch * self._steps + step
        text = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        if self._bar is not None:
            speed = f"{values['images_per_s']:.0f} {self._items}/s"
            note = f"epoch {epoch + 1}/{self._epochs} {text} {speed}"
            self._progress.update(self._bar, completed=done, note=note)
        self._line(epoch, step, **values)
        for name, value in {**losses, "lr": values["lr"]}.items():
            self._scalar(f"{self._stage}/{name}", value, done)

    def note(self, what: str, done: int, total: int) -> None:
        """Update a separate bar, and write a line."""
        if what != self._stage or total != self._steps:
            self._begin(what, epochs=1, steps=total, done=done)
        if self._bar is not None and (self.is_due or done == total):
            self._next_s = time.monotonic() + EVERY_S
            self._progress.update(self._bar, completed=done)
            self._line(0, done)

    def _begin(self, stage: str, *, epochs: int, steps: int, done: int) -> None:
        self._stage, self._epochs, self._steps = stage, epochs, steps
        self._bar = self._progress.add_task(stage, total=epochs * steps, completed=done, note="")
        self._next_s = 0.0

    def _line(self, epoch: int, step: int, **values: Any) -> None:
        record = {
            "time": round(time.time(), 3),
            "stage": self._stage,
            "epoch": epoch,
            "epochs": self._epochs,
            "step": step,
            "steps": self._steps,
            **values,
        }
        with _storage_errors(self._lines), self._lines.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def _scalar(self, name: str, value: float, step: int) -> None:
        with _storage_errors(self._events):
            if self._writer is None:
                self._writer = _event_writer(self._events)
            self._writer.add_scalar(name, value, step)


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the last checkpoint is kept"
        ) from error


class _NoEvents:
    """Replaces TensorBoard's writer if it is not installed."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Do nothing."""


def _event_writer(folder: Path) -> Any:
    """Return TensorBoard's writer if it is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from TensorBoard's own imports
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional, slow
    except ImportError:
        logger.info("tensorboard is not installed: no events are written")
        return _NoEvents()
    return SummaryWriter(str(folder))


def progress_bars(console: Console, *, shown: bool) -> Progress:
    """Return the bars of a job; only the first rank's are shown."""
    bars = progress_bar(
        Words("{task.description:8}"),
        BarColumn(),
        Words("{task.percentage:>5.1f} %"),
        TimeRemainingColumn(),
        Words("{task.fields[note]}"),
        shown_on=console,
    )
    bars.disable = not shown
    return bars
