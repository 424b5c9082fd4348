"""Jobs as processes: start, find, stop and remove them with all their children.

A job is a separate session under `runner.py`. torchrun gives each of its workers another session,
so a process group does not contain all of a job: its processes are recognised by the job's folder
in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from orchestrator.jobs.runner import BUSY, read_exit
from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import Job
from semcom.children import python_module, start_with_log
from semcom.files import open_to_write

MARK = "SEMCOM_JOB"
SAME_START_S = 1.0  # the start time follows the system's clock, which may be adjusted
DYING_S = 5.0  # a killed process may still be waiting for a disk or a GPU
KILLED = -int(signal.SIGKILL)


def command_of(job: Job, module: str) -> list[str]:
    """Return the training command of a job, to be run in `job.cwd`."""
    progress = JobsFolder(Path(job.work)).progress(job.id)
    return python_module(module, *job.arguments, "--progress", progress)


def is_process(pid: int | None, started_s: float | None) -> bool:
    """Return whether a process is still the one that was started at that time."""
    if pid is None or started_s is None:
        return False
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started_s) < SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


class JobProcesses:
    """The processes of the running jobs of one work folder."""

    def __init__(self, folder: JobsFolder, module: str) -> None:
        self._folder = folder
        self._module = module
        self._jobs: dict[int, Job] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}  # those started by this process

    def start(self, job: Job) -> tuple[int, float]:
        """Start the attempt that the store has counted; return process id and start time.

        Raises:
            OSError: it cannot be started.
        """
        folder = self._folder.job(job.id).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        variables = {
            MARK: str(folder),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "1000",  # rich breaks the lines of a log, errors too, at 80 otherwise
        }
        with open_to_write(self._folder.job_log(job.id)) as log:
            child = start_with_log(
                "orchestrator.jobs.runner",
                *(folder, job.attempts, "--", *command_of(job, self._module)),
                keep_memory=True,
                variables=variables,
                cwd=job.cwd,
                log=log,
            )
        self._children[job.id] = child
        self._jobs[job.id] = job
        return child.pid, _started_s(child.pid)

    def adopt(self, job: Job) -> bool:
        """Take over a job that an earlier supervisor started.

        Return False if its process has ended.
        """
        if not is_process(job.pid, job.pid_started_s):
            return False
        self._jobs[job.id] = job
        return True

    def exit_code(self, job: Job) -> int | None:
        """Return the exit code of the latest attempt of a job, as written by its runner."""
        return read_exit(self._folder.job(job.id), job.attempts)

    def ended(self) -> dict[int, int | None]:
        """Return jobs whose attempt has ended, with their exit codes; None: it never ran."""
        codes: dict[int, int | None] = {}
        for job_id, job in list(self._jobs.items()):
            child = self._children.get(job_id)
            returned = child.poll() if child is not None else None
            if returned is None and (child is not None or is_process(job.pid, job.pid_started_s)):
                continue
            code = self.exit_code(job)
            if code is None:  # killed with its runner, or nothing could be written
                code = None if returned == BUSY else KILLED if returned is None else returned
            codes[job_id] = code
            self._forget(job_id)
        return codes

    def terminate(self, job: Job) -> None:
        """Ask a job to save and end."""
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process could not end
            with contextlib.suppress(ProcessLookupError):
                if job.pid is not None and is_process(job.pid, job.pid_started_s):
                    os.killpg(job.pid, number)

    def clear(self, job_id: int) -> bool:
        """Kill all remaining processes of a job in any session; return False if some do not die."""
        left = list(_marked(self._folder.job(job_id).absolute()))
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        end_s = time.monotonic() + DYING_S
        while any(_lives(process) for process in left):
            if time.monotonic() >= end_s:
                return False
            time.sleep(DYING_S / 1000)
        return True

    def _forget(self, job_id: int) -> None:
        self._jobs.pop(job_id, None)
        self._children.pop(job_id, None)


def _marked(folder: Path) -> Iterator[psutil.Process]:
    own = os.getpid()
    for process in psutil.process_iter():
        try:
            if process.pid != own and process.environ().get(MARK) == str(folder):
                yield process
        except (psutil.Error, OSError):
            continue  # another user's, or ended


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _started_s(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended, but has not been waited for
        return 0.0
