"""Decide what to do with jobs: events in, instructions out; no process, clock or disk.

The store has the requests and the current state; `decide` compares them. Its own memory may be lost
with the process: which jobs it has asked to end, and until when it backs off.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.control.launcher import FINAL_EXIT_CODES
from orchestrator.jobs.settings import JobsSettings
from orchestrator.jobs.store import Job, State
from semcom.errors import SemcomError


@dataclass(frozen=True)
class Start:
    """Begin an attempt of a queued job."""

    job: int


@dataclass(frozen=True)
class Terminate:
    """Ask a running job to save and end."""

    job: int


@dataclass(frozen=True)
class Kill:
    """Kill a running job that did not end."""

    job: int


@dataclass(frozen=True)
class Requeue:
    """A job's attempt has ended and another one is due."""

    job: int
    restarts: int


@dataclass(frozen=True)
class Register:
    """A job has finished: check its codec and record it."""

    job: int


@dataclass(frozen=True)
class Settle:
    """A job has ended in another way."""

    job: int
    state: State
    exit_code: int | None


Instruction = Start | Terminate | Kill | Requeue | Register | Settle


def died(code: int) -> bool:
    """Return whether a restart may help after an exit code: a signal, or an internal error.

    Negative codes and those above 128 are signals; a training that is asked to end saves and exits
    with 143.
    """
    return code < 0 or code > 128 or code == SemcomError.exit_code


class Supervisor:
    """Decides for the jobs of one work folder. Times are monotonic seconds."""

    def __init__(self, settings: JobsSettings, now_s: float) -> None:
        self._settings = settings
        self._asked_s: dict[int, float] = {}  # time at which a job was asked to end
        self._killed: set[int] = set()
        self._retry_s: dict[int, float] = {}  # time until which a crashed job is not restarted
        self._busy_s = now_s  # time at which there was last something to do
        self._idle = False
        self.draining = False

    def drain(self) -> None:
        """Start nothing more, and ask running jobs to end; they are queued again."""
        self.draining = True

    def done(self, now_s: float) -> bool:
        """Return whether the supervisor itself may end."""
        return self._idle and (self.draining or now_s - self._busy_s >= self._settings.idle_s)

    def ended(self, job: Job, code: int | None, now_s: float) -> Instruction:
        """Process the end of a job's attempt; None: it was lost with an earlier supervisor."""
        self._asked_s.pop(job.id, None)
        self._killed.discard(job.id)
        if code == 0:
            return Register(job.id)
        if job.cancel_asked:
            return Settle(job.id, "cancelled", code)
        if code is None or (self.draining and code not in FINAL_EXIT_CODES):
            return Requeue(job.id, job.restarts)
        if died(code) and job.restarts < self._settings.max_restarts:
            self._retry_s[job.id] = now_s + self._settings.backoff_s * 2**job.restarts
            return Requeue(job.id, job.restarts + 1)
        return Settle(job.id, "failed", code)

    def decide(self, jobs: Sequence[Job], now_s: float) -> list[Instruction]:
        """Return the instructions for queued and running jobs."""
        running = [job for job in jobs if job.state == "running"]
        queued = [job for job in jobs if job.state == "queued"]
        if running or (queued and not self.draining):
            self._busy_s = now_s
        self._idle = not running and (self.draining or not queued)
        instructions: list[Instruction] = []
        for job in running:
            if job.cancel_asked or self.draining:
                instructions += self._end(job, now_s)
        for job in queued:
            if (
                job.cancel_asked
            ):  # it died meanwhile, and was still running when the command checked
                instructions.append(Settle(job.id, "cancelled", None))
        if not self.draining:
            waiting = [job for job in queued if not job.cancel_asked]
            instructions += self._starts(waiting, self._settings.parallel - len(running), now_s)
        return instructions

    def _end(self, job: Job, now_s: float) -> list[Instruction]:
        asked_s = self._asked_s.get(job.id)
        if asked_s is None:
            self._asked_s[job.id] = now_s
            return [Terminate(job.id)]
        if now_s - asked_s >= self._settings.grace_s and job.id not in self._killed:
            self._killed.add(job.id)
            return [Kill(job.id)]
        return []

    def _starts(self, waiting: Sequence[Job], free: int, now_s: float) -> list[Instruction]:
        """Return the first jobs in order. A job that backs off keeps its slot."""
        first = sorted(waiting, key=lambda job: job.turn)[: max(0, free)]
        ready = [job for job in first if self._retry_s.get(job.id, now_s) <= now_s]
        for job in ready:
            self._retry_s.pop(job.id, None)
        return [Start(job.id) for job in ready]


def describe_code(code: int | None) -> str:
    """Return an exit code in words."""
    if code is None:
        return "never started"
    number = -code if code < 0 else code - 128 if code > 128 else 0
    if number:
        try:
            return f"ended by {signal.Signals(number).name}"
        except ValueError:
            return f"ended by signal {number}"
    return f"exit code {code}"
