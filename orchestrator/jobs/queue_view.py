"""Display jobs: a table, progress bars, and plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID
from rich.table import Table

from orchestrator.cli.terminal import Words, new_table, progress_bar, styled
from orchestrator.jobs.progress_lines import Pace, Tail
from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import Job, JobStore
from semcom.errors import TERMINATED, SemcomError

DIGITS = 12  # of a digest that are shown


def exit_status(job: Job) -> int:
    """Return the exit code of a command that waits for a job; for signals, as in a shell."""
    if job.state == "done":
        return 0
    if job.state == "cancelled":
        return TERMINATED
    code = job.exit_code
    if not code:
        return SemcomError.exit_code
    return code if code > 0 else 128 - code


def table(jobs: Sequence[Job], folder: JobsFolder) -> Table:
    """Return a table with a row per job; ranks, restarts and codecs only if there are any."""
    columns: dict[str, list[str]] = {
        "id": [str(job.id) for job in jobs],
        "name": [job.name for job in jobs],
        "data set": [job.dataset for job in jobs],
        "state": [_state(job) for job in jobs],
        "progress": ["" if job.ended else Watched(job, folder).stage for job in jobs],
    }
    if any(job.nproc > 1 for job in jobs):
        columns["ranks"] = [str(job.nproc) for job in jobs]
    if any(job.restarts for job in jobs):
        columns["restarts"] = [str(job.restarts) for job in jobs]
    if any(job.digest for job in jobs):
        columns["codec"] = [(job.digest or "")[:DIGITS] for job in jobs]
    result = new_table(*columns)
    for column in result.columns:
        column.no_wrap = column.header not in {"name", "state"}
    for row in zip(*columns.values(), strict=True):
        result.add_row(*row)
    return result


@dataclass
class Watched:
    """A job and its progress."""

    job: Job
    folder: JobsFolder
    pace: Pace = field(default_factory=Pace)
    said: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self._tail = Tail(self.folder.progress(self.job.id))
        self.look()

    def look(self) -> None:
        """Read what is new."""
        for line in self._tail.read():
            self.pace.add(line)

    @property
    def stage(self) -> str:
        """Stage and epoch."""
        last = self.pace.last
        return "" if last is None else f"{last.stage} {last.epoch_under_way}/{last.epochs}"

    @property
    def note(self) -> str:
        """Losses, speed and remaining time of the stage; or how the job ended."""
        last = self.pace.last
        if self.job.ended:
            return _ending(self.job)
        if self.job.state == "queued" or last is None:
            return _state(self.job)
        parts = [f"{term} {loss:.4g}" for term, loss in last.losses.items()]
        parts.append(f"{self.pace.images_per_s:.0f} items/s")
        if self.pace.remaining_s is not None:
            parts.append(f"{_duration(self.pace.remaining_s)} left")
        return ", ".join(parts)


def watch(
    store: JobStore, folder: JobsFolder, jobs: Sequence[Job], console: Console, *, poll_s: float
) -> int:
    """Show jobs until all of them have ended.

    Returns:
        0, or the exit code of the first job in order that failed.
    """
    watched = [Watched(job, folder) for job in jobs]
    show = _Bars(console) if console.is_terminal else _Lines(console)
    with show.progress:
        while True:
            for one in watched:
                one.job = store.job(one.job.id)
                one.look()
                show.update(one)
            if console.quiet or all(one.job.ended for one in watched):  # the reader has exited
                break
            time.sleep(poll_s)
    ended = [one.job for one in watched if one.job.ended]
    return next((code for job in ended if (code := exit_status(job))), 0)


class _Bars:
    def __init__(self, console: Console) -> None:
        self.progress = progress_bar(
            Words("{task.description}"),
            Words("{task.fields[stage]}"),
            BarColumn(bar_width=30),
            Words("{task.percentage:>5.1f} %"),
            Words("{task.fields[note]}"),
            shown_on=console,
        )
        self._bars: dict[int, TaskID] = {}

    def update(self, one: Watched) -> None:
        job, last = one.job, one.pace.last
        if job.id not in self._bars:
            self._bars[job.id] = self.progress.add_task(
                f"{job.id} {job.name}", total=1.0, stage="", note=""
            )
        done = 1.0 if job.state == "done" else 0.0 if last is None else last.ratio
        self.progress.update(
            self._bars[job.id], completed=done, stage=one.stage, note=one.note
        )  # fmt: skip


class _Lines:
    """Prints a line when the state, the stage or the epoch changes."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(console=console, disable=True)
        self._console = console

    def update(self, one: Watched) -> None:
        news = (one.job.state, one.job.restarts, one.stage)
        if one.said != news:
            one.said = news
            parts = [f"{one.job.id} {one.job.name}", one.stage, one.note]
            text = ": ".join(part for part in parts if part)
            self._console.print(styled(text), soft_wrap=True)


def _state(job: Job) -> str:
    if job.state == "running" and job.cancel_asked:
        return "ending"
    if job.state == "queued" and job.restarts:
        return f"queued after restart {job.restarts}"
    return job.state


def _ending(job: Job) -> str:
    if job.state == "done" and job.digest is not None:
        return f"done, codec {job.digest[:DIGITS]}"
    return f"{job.state} ({job.error})" if job.error else job.state


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
