"""A queue of stand-in jobs with a real supervisor, watched from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from orchestrator.jobs import instance
from orchestrator.jobs.job_processes import JobProcesses
from orchestrator.jobs.runner import exit_file
from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import Job, JobStore, State, Submission
from tests.forking import Popen
from tests.integration.harness import eventually

REPO = Path(__file__).resolve().parents[3]
DEADLINE_S = 300.0  # of what takes seconds on an idle machine
FAST: dict[str, object] = {
    "module": "tests.orchestrator.jobs.fake_training",
    "poll_s": 0.02,
    "backoff_s": 0.01,
    "idle_s": 1e6,
}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO)}


class Queue:
    """A work folder, its store, and the supervisors that were started for it."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.root = root
        self.folder = JobsFolder(root / "training")
        self.store = JobStore(self.folder.database, create=True)
        self.folder.settings.write_text(yaml.safe_dump({**FAST, **settings}))
        self.supervisors: list[subprocess.Popen[bytes]] = []

    def submit(self, name: str, *options: object, priority: int = 0) -> int:
        """Store a stand-in job."""
        arguments = ["shapes10", *map(str, options), "--name", name]
        arguments += ["--work", "training", "--out", f"codecs/{name}"]
        wanted = Submission(
            name=name,
            dataset="shapes10",
            arguments=tuple(arguments),
            priority=priority,
            cwd=str(self.root),
        )
        return self.store.submit(wanted, time.time())

    def supervise(self) -> subprocess.Popen[bytes]:
        """Start a supervisor, and wait until it is the one."""
        process = self.start_supervisor()
        self.wait(lambda: self.leader() == process.pid, "the supervisor runs")
        return process

    def start_supervisor(self) -> subprocess.Popen[bytes]:
        """Start a supervisor."""
        with self.folder.log.open("ab") as log:
            process = Popen[bytes](
                [sys.executable, "-m", "orchestrator.jobs", "--work", str(self.folder.work)],
                cwd=self.root,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.supervisors.append(process)
        return process

    def leader(self) -> int:
        """The process that says it is the supervisor."""
        found = instance.find(self.folder)
        return 0 if found is None else found.pid

    def history(self, name: str) -> list[str]:
        """What the stand-in job has done."""
        path = self.folder.work / name / "history"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def did(self, name: str, what: str) -> int:
        """How often it did that."""
        return sum(line.split()[0] == what for line in self.history(name))

    def last_pid(self, name: str, what: str = "begin") -> int:
        """Process id that the history names last."""
        return int([line for line in self.history(name) if line.startswith(what)][-1].split()[1])

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds."""
        try:
            eventually(condition, what, DEADLINE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.folder.log.read_text()[-3000:]}") from error

    def wait_waiting(self, name: str, times: int = 1) -> None:
        """Wait until a job stands before its gate, and the store knows its process."""

        def there() -> bool:
            known = {job.name for job in self.store.active() if job.pid is not None}
            return self.did(name, "waits") >= times and name in known

        self.wait(there, f"{name} waits")

    def wait_state(self, job_id: int, state: State) -> Job:
        """Wait until a job is in a state; another final one fails at once."""

        def there() -> bool:
            job = self.store.job(job_id)
            assert job.state == state or not job.ended, job
            return job.state == state

        self.wait(there, f"job {job_id} is {state}")
        return self.store.job(job_id)

    def wait_exit(self, job_id: int) -> None:
        """Wait until the runner of a job has written its exit code down."""
        job = self.store.job(job_id)
        path = exit_file(self.folder.job(job_id), job.attempts)
        self.wait(path.exists, f"the exit code of job {job_id}")

    def kill_supervisor(self) -> None:
        """kill -9 of the supervisor."""
        process = self.supervisors[-1]
        process.kill()
        process.wait(DEADLINE_S)

    def close(self) -> None:
        """End everything that runs."""
        for process in self.supervisors:
            process.kill()
            process.wait(DEADLINE_S)
        processes = JobProcesses(self.folder, "")
        for job in self.store.jobs():
            processes.clear(job.id)
        self.store.close()


@contextmanager
def opened(root: Path, **settings: object) -> Iterator[Queue]:
    """A queue for a while."""
    queue = Queue(root, **settings)
    try:
        yield queue
    finally:
        queue.close()


def kill(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: gone(process), f"{pid} is gone", DEADLINE_S)


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
