"""Training jobs on a Ray cluster, using Ray Jobs: `semcom jobs ... --on ADDRESS`.

Ray stores them; they are not in this machine's queue. Each is a `semcom train` on a node chosen by
Ray, with the folders given at submission.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ray.job_submission import JobStatus, JobSubmissionClient

from orchestrator.jobs.store import Submission
from orchestrator.on_ray.connection import LOCAL, check_answers, client_address, last_line
from semcom.errors import TERMINATED, ConfigurationError, SemcomError

KIND = "semcom-train"  # metadata of our jobs
NAME, DATASET = "semcom-name", "semcom-dataset"
POLL_S = 1.0


@dataclass(frozen=True)
class ClusterJob:
    """A training job on the cluster."""

    id: str
    name: str
    dataset: str
    state: str
    message: str
    exit_code: int | None

    @property
    def ended(self) -> bool:
        """Return whether it has ended."""
        return bool(JobStatus(self.state).is_terminal())

    @property
    def exit_status(self) -> int:
        """Return the exit code of a command that waits for it."""
        match JobStatus(self.state):
            case JobStatus.SUCCEEDED:
                return 0
            case JobStatus.STOPPED:
                return TERMINATED
            case _:
                code = self.exit_code
                return SemcomError.exit_code if not code else code if code > 0 else 128 - code


class ClusterJobs:
    """The training jobs of a cluster."""

    def __init__(self, address: str) -> None:
        """Connect to the cluster's dashboard, which accepts jobs.

        Raises:
            ConfigurationError: there is none.
        """
        if address == LOCAL:
            raise ConfigurationError(
                f"--on {LOCAL}: that cluster ends with the command; name a permanent one"
            )
        self._address = address
        where = client_address(address)
        try:
            check_answers(where.partition("://")[2] or where)
            with _silence():
                self._client = JobSubmissionClient(where)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigurationError(
                f"--on {address}: no cluster accepts jobs ({last_line(error)}); its head needs the "
                "dashboard"
            ) from error

    def submit(self, wanted: Submission, *, gpus: int) -> str:
        """Submit a training; return the job's name on the cluster.

        Raises:
            ConfigurationError: the cluster refuses it.
        """
        words = ["semcom", "train", *wanted.arguments]
        return str(
            self._asked(
                self._client.submit_job,
                entrypoint=f"cd {shlex.quote(wanted.cwd)} && exec {shlex.join(words)}",
                entrypoint_num_cpus=wanted.nproc,
                entrypoint_num_gpus=gpus,
                metadata={"kind": KIND, NAME: wanted.name, DATASET: wanted.dataset},
            )
        )

    def all(self) -> list[ClusterJob]:
        """Return all training jobs, the first submitted first."""
        found = [each for each in self._asked(self._client.list_jobs) if _is_ours(each)]
        return [_job(each) for each in sorted(found, key=lambda each: each.start_time or 0)]

    def job(self, job_id: str) -> ClusterJob:
        """Return a training job.

        Raises:
            ConfigurationError: there is no such job.
        """
        found = self._asked(self._client.get_job_info, job_id)
        if not _is_ours(found):
            raise ConfigurationError(
                f"--on {self._address}: {job_id} is not a training job of semcom"
            )
        return _job(found)

    def cancel(self, job_id: str) -> ClusterJob:
        """Ask a job to save and end; return its previous state."""
        job = self.job(job_id)
        self._asked(self._client.stop_job, job_id)
        return job

    def output(self, job_id: str, *, follow: bool) -> Iterator[str]:
        """Yield the output of a job; with `follow`, until it ends."""
        printed = 0
        while True:
            ended = self.job(job_id).ended  # before its output is read, so that none is missed
            text = str(self._asked(self._client.get_job_logs, job_id))
            if text[printed:]:
                yield text[printed:]
            printed = len(text)
            if ended or not follow:
                return
            time.sleep(POLL_S)

    def wait(self, jobs: Sequence[ClusterJob]) -> Iterator[ClusterJob]:
        """Yield jobs when their states change, until all have ended."""
        states = {job.id: "" for job in jobs}
        while states:
            for job_id in list(states):
                job = self.job(job_id)
                if job.state != states[job_id]:
                    states[job_id] = job.state
                    yield job
                if job.ended:
                    del states[job_id]
            if states:
                time.sleep(POLL_S)

    def _asked(self, ask: Any, *words: Any, **options: Any) -> Any:
        """Call the cluster, and turn a refusal into one line."""
        try:
            return ask(*words, **options)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigurationError(f"--on {self._address}: {last_line(error)}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress a client's output while it looks for the dashboard."""
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _is_ours(found: Any) -> bool:
    return (found.metadata or {}).get("kind") == KIND and found.submission_id is not None


def _job(found: Any) -> ClusterJob:
    return ClusterJob(
        id=str(found.submission_id),
        name=found.metadata.get(NAME, ""),
        dataset=found.metadata.get(DATASET, ""),
        state=found.status.value,
        message=found.message or "",
        exit_code=found.driver_exit_code,
    )
