"""The supervisor as a process: it handles requests, the jobs' processes and the metrics."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

from orchestrator.jobs.instance import LOCK_WAIT_S, announce, retire
from orchestrator.jobs.job_processes import JobProcesses
from orchestrator.jobs.logs import last_error_line
from orchestrator.jobs.progress_lines import Tail
from orchestrator.jobs.queue_metrics import TrainingMetrics
from orchestrator.jobs.settings import JobsFolder, JobsSettings
from orchestrator.jobs.store import Job, JobStore
from orchestrator.jobs.supervisor import (
    Instruction,
    Kill,
    Register,
    Requeue,
    Settle,
    Start,
    Supervisor,
    Terminate,
    describe_code,
)
from orchestrator.plan.catalog import Catalog
from semcom.errors import CheckpointError, StorageError
from semcom.health import HealthServer
from semcom.locks import FileLock
from semcom.stop_signals import StopRequest, stop_requests
from semcom.telemetry import Telemetry, event, say_as_json
from semcom.wakeup import Wakeup

logger = logging.getLogger("orchestrator.jobs")

SAVING = "running jobs save and are queued again"


class JobService:
    """Carries out the supervisor's decisions."""

    def __init__(
        self, folder: JobsFolder, settings: JobsSettings, store: JobStore, metrics: TrainingMetrics
    ) -> None:
        self._folder = folder
        self._store = store
        self._metrics = metrics
        self._processes = JobProcesses(folder, settings.module)
        self._supervisor = Supervisor(settings, time.monotonic())
        self._tails: dict[int, Tail] = {}
        self.ready = False

    def recover(self) -> None:
        """Find or settle the jobs that an earlier supervisor left running."""
        for job in self._store.active():
            if job.state != "running":
                continue
            code = self._processes.exit_code(job)
            if code is None and self._processes.adopt(job):
                event(logger, "job taken over", job=job.id, child=job.pid)
                tail = self._tails[job.id] = Tail(self._folder.progress(job.id))
                self._metrics.taken_over(job, tail.read())
            else:
                self._on_end(job, code)
        self.ready = True

    def tick(self) -> None:
        """Check store and processes once, and do what is due."""
        jobs = {job.id: job for job in self._store.active()}
        for job_id, code in self._processes.ended().items():
            if job_id in jobs:
                self._on_end(jobs[job_id], code)
        jobs = {job.id: job for job in self._store.active()}
        for instruction in self._supervisor.decide(list(jobs.values()), time.monotonic()):
            self._carry_out(instruction, jobs[instruction.job])
        self._measure([job for job in jobs.values() if job.state == "running"])

    def drain(self) -> None:
        """Ask all running jobs to save and end."""
        self._supervisor.drain()

    @property
    def draining(self) -> bool:
        """Return whether it has been asked to end."""
        return self._supervisor.draining

    @property
    def done(self) -> bool:
        """Return whether this process may end."""
        return self._supervisor.done(time.monotonic())

    def _on_end(self, job: Job, code: int | None) -> None:
        self._processes.clear(job.id)
        tail = self._tails.pop(job.id, None)
        if tail is not None:
            self._metrics.progress(job, tail.read())
        self._metrics.ended(job)
        event(logger, "job's process ended", job=job.id, code=code)
        self._carry_out(self._supervisor.ended(job, code, time.monotonic()), job)

    def _carry_out(self, instruction: Instruction, job: Job) -> None:
        if isinstance(instruction, Start):
            self._start(job)
        elif isinstance(instruction, Terminate):
            event(logger, "job asked to end", job=job.id)
            self._processes.terminate(job)
        elif isinstance(instruction, Kill):
            event(logger, "job killed", job=job.id)
            self._processes.clear(job.id)
        elif isinstance(instruction, Requeue):
            if instruction.restarts > job.restarts:
                self._metrics.restarted(job)
            self._store.requeue(job.id, restarts=instruction.restarts)
        elif isinstance(instruction, Register):
            self._register(job)
        else:
            self._settle(job, instruction)

    def _start(self, queued: Job) -> None:
        if not self._processes.clear(queued.id):  # it stays queued and is checked again
            event(logger, "processes of an earlier attempt do not end", job=queued.id)
            return
        job = self._store.start(queued.id, time.time())
        if job is None:  # cancelled meanwhile
            return
        tail = self._tails[job.id] = Tail(self._folder.progress(job.id))
        self._metrics.taken_over(job, tail.read())
        try:
            pid, started_s = self._processes.start(job)
        except OSError as error:
            text = f"cannot be started in {job.cwd}: {error.strerror}"
            code = StorageError.exit_code
            self._store.finish(job.id, "failed", now_s=time.time(), exit_code=code, error=text)
            return
        self._store.set_process(job.id, pid, started_s)
        event(logger, "job started", job=job.id, name=job.name, child=pid, attempt=job.attempts)

    def _register(self, job: Job) -> None:
        """Mark a job as done if its codec can be used; one that ends before the export has none."""
        digest = None
        try:
            if job.makes_codec:
                digest = (
                    Catalog(Path(job.cwd) / job.codecs, own_only=True).verified(job.name).digest
                )
        except CheckpointError as error:
            code, text = error.exit_code, f"finished, but its codec cannot be used: {error}"
            self._store.finish(job.id, "failed", now_s=time.time(), exit_code=code, error=text)
            return
        self._store.finish(job.id, "done", now_s=time.time(), exit_code=0, digest=digest)
        event(logger, "job done", job=job.id, codec=job.name, digest=digest)

    def _settle(self, job: Job, end: Settle) -> None:
        error = None
        if end.state == "failed":
            error = (
                f"{describe_code(end.exit_code)}: {last_error_line(self._folder.job_log(job.id))}"
            )
        self._store.finish(
            job.id, end.state, now_s=time.time(), exit_code=end.exit_code, error=error
        )
        event(logger, "job settled", job=job.id, state=end.state, code=end.exit_code, error=error)

    def _measure(self, running: list[Job]) -> None:
        for job in running:
            tail = self._tails.get(job.id)
            if tail is not None:
                self._metrics.progress(job, tail.read())
        self._metrics.ages(running, time.time())
        self._metrics.states(self._store.counts())


def supervise(folder: JobsFolder, settings: JobsSettings) -> int | None:
    """Run the queue of a work folder until it has been idle for a while, or until asked to end.

    Returns:
        The signal that ended it, or 0; None if another supervisor is already running.

    Raises:
        PortInUseError: the address of the metrics is taken.
        StorageError: the disk cannot be written; running jobs continue and are found again.
    """
    store = JobStore(folder.database, create=True)
    lock = FileLock(folder.lock, folder=folder.root)
    wakeup = Wakeup()
    try:
        if not lock.acquire(LOCK_WAIT_S):
            return None
        with stop_requests(SAVING, wake=wakeup.set, say=say_as_json) as stop:
            while True:
                _serve(folder, settings, store, Ending(stop, wakeup))
                lock.release()
                # A job that was submitted while the lock was held found a supervisor and started
                # none.
                if stop.asked or not store.active() or not lock.acquire():
                    return stop.signal
    finally:
        lock.release()
        store.close()
        wakeup.close()


class Ending(NamedTuple):
    """State of a request to end the supervisor, and its wake-up."""

    stop: StopRequest
    wakeup: Wakeup


def _serve(folder: JobsFolder, settings: JobsSettings, store: JobStore, ending: Ending) -> None:
    telemetry = Telemetry("jobs", "jobs")
    service = JobService(folder, settings, store, TrainingMetrics(telemetry))
    health = HealthServer(
        settings.metrics_host,
        settings.metrics_port,
        telemetry=telemetry,
        ready=lambda: service.ready,
        hosts=settings.metrics_hosts,
    )
    try:
        event(logger, "started", role="jobs", peer=str(folder.work), metrics_port=health.port)
        announce(folder, f"http://{settings.metrics_host}:{health.port}/metrics")
        service.recover()
        while True:
            service.tick()
            if service.done:
                break
            ending.wakeup.wait(settings.poll_s)
            if ending.stop.asked and not service.draining:
                service.drain()
    finally:
        retire(folder)
        health.close()
        event(logger, "stopped", role="jobs", peer=str(folder.work), pid=os.getpid())
