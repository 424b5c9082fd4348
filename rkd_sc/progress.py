"""Progress of a sweep, an evaluation or a training run, for a notebook or a program."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.jobs.progress_lines import Pace, Tail
from orchestrator.plan.plan import Plan

EVERY_S = 0.5  # shortest time between two reports
LINE_EVERY_S = 30.0  # between two lines in a file, where none can be overwritten
REPORTS = 20  # reports over which the speed is measured


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a sweep, an evaluation or a training run.

    Attributes:
        name: name of the scenario or the codec.
        stage: what is counted: `frames` of a run, or the steps of this stage of a training run.
        done, total: finished frames or steps, and their number.
        points_done, points: finished points, rounded down, and number of points of a run; both are
            0 for a training run.
        items_per_s: current speed; 0 until it is known.
        remaining_s: estimated seconds until `total`; None until it is known.
        note: what is being waited for, or a notice to the user; usually empty.
    """

    name: str
    stage: str
    done: int
    total: int
    points_done: int = 0
    points: int = 0
    items_per_s: float = 0.0
    remaining_s: float | None = None
    note: str = ""

    def __str__(self) -> str:
        parts = [f"{self.done} of {self.total} frames"]
        if self.points:
            parts.insert(0, f"{self.points_done} of {self.points} points")
        else:
            parts = [f"{self.stage}: {self.done} of {self.total} steps"]
        if self.items_per_s:
            parts.append(f"{self.items_per_s:,.0f} items/s")
        if self.remaining_s is not None:
            minutes, seconds = divmod(round(self.remaining_s), 60)
            parts.append(f"{minutes}:{seconds:02d} left")
        return f"{self.name}: {', '.join([*parts, *filter(None, [self.note])])}"


Report = Callable[[Progress], None]
ProgressOption = bool | Report


@contextmanager
def reporting(progress: ProgressOption) -> Iterator[Report]:
    """Yield what takes the reports: the user's function, one that prints, or one that does not."""
    if callable(progress):
        yield progress
    elif progress:
        line = _Line()
        try:
            yield line
        finally:
            line.end()
    else:
        yield _ignore


class RunProgress:
    """Watches a sweep or an evaluation and reports its progress."""

    def __init__(self, report: Report, plan: Plan) -> None:
        self._report = report
        self._plan = plan
        self._total = plan.total_frames
        self._recorded = 0
        self._note = ""
        self._seen: deque[tuple[float, int]] = deque(maxlen=REPORTS)

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self._recorded = recorded
        if self._is_due() or recorded == self._total:
            self._tell(self._note)

    def waiting(self, roles: list[str]) -> None:
        """Processes are missing; none: all are connected."""
        note = f"waiting for {', '.join(roles)}" if roles else ""
        if note != self._note:
            self._note = note
            self._tell(note)

    def encoding(self, codec: str, images: int, total: int) -> None:
        """Items were encoded."""
        self._note = f"{codec}: {images} of {total} items encoded" if images < total else ""
        if self._is_due():
            self._tell(self._note)

    def notice(self, text: str) -> None:
        """Something that a user should know and that does not end the run."""
        self._tell(text)

    def _is_due(self) -> bool:
        return not self._seen or time.monotonic() >= self._seen[-1][0] + EVERY_S

    def _tell(self, note: str) -> None:
        self._seen.append((time.monotonic(), self._recorded))
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        frames_per_s = (
            (last - first) / (last_s - first_s) if last > first and last_s > first_s else 0.0
        )
        points = len(self._plan.points)
        self._report(
            Progress(
                name=self._plan.name,
                stage="frames",
                done=last,
                total=self._total,
                points_done=points * last // self._total,
                points=points,
                items_per_s=frames_per_s * _items(self._plan) / self._total,
                remaining_s=(self._total - last) / frames_per_s if frames_per_s else None,
                note=note,
            )
        )


@contextmanager
def following(lines: Path, name: str, report: Report) -> Iterator[None]:
    """Report what a training run in another process adds to its `progress.jsonl`."""
    tail, ended = Tail(lines), threading.Event()
    tail.read()  # lines of an earlier attempt

    def follow() -> None:
        pace, over = Pace(), False
        while not over:
            over = ended.wait(EVERY_S)
            for line in tail.read():
                pace.add(line)
                report(
                    Progress(
                        name=name,
                        stage=line.stage,
                        done=line.steps_done,
                        total=line.steps_in_all,
                        items_per_s=pace.images_per_s,
                        remaining_s=pace.remaining_s,
                        note=f"epoch {line.epoch_under_way} of {line.epochs}",
                    )
                )

    thread = threading.Thread(target=follow, name="training-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Line:
    """Prints reports to standard error: one line that is overwritten, or a line now and then."""

    def __init__(self) -> None:
        self._overwrites = _overwrites()
        self._width = 0
        self._next_s = 0.0
        self._latest = ""

    def __call__(self, progress: Progress) -> None:
        text = str(progress)
        if self._overwrites:
            _write(f"\r{text:<{self._width}}")
            self._width = len(text)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_EVERY_S
            _write(f"{text}\n")
            text = ""
        self._latest = text

    def end(self) -> None:
        """End the line that would have been overwritten, or print the last report."""
        if self._latest:
            _write("\n" if self._overwrites else f"{self._latest}\n")


def _overwrites() -> bool:
    """Return whether a carriage return goes back to the start of the line: terminals, notebooks."""
    in_notebook = "ipykernel" in sys.modules
    return in_notebook or (sys.stderr.isatty() and os.environ.get("TERM") != "dumb")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _items(plan: Plan) -> int:
    """Return the number of items of all frames."""
    return sum(len(plan.points_of(link)) * planned.images for link, planned in plan.links.items())


def _ignore(progress: Progress) -> None:
    del progress
