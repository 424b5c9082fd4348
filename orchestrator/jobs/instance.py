"""One supervisor per work folder: find or start it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass

import psutil

from orchestrator.control.launcher import last_error
from orchestrator.jobs.job_processes import is_process
from orchestrator.jobs.settings import JobsFolder
from semcom.children import start_with_log
from semcom.errors import ProcessFailedError, SemcomError, StorageError
from semcom.files import open_to_write, read_file, write_atomically
from semcom.locks import FileLock

LOCK_WAIT_S = 2.0  # a command that looks for a supervisor briefly holds its lock
START_DEADLINE_S = 60.0
POLL_S = 0.02
MAX_STATE_BYTES = 1 << 16


@dataclass(frozen=True)
class Instance:
    """The running supervisor."""

    pid: int
    metrics: str


def announce(folder: JobsFolder, metrics: str) -> None:
    """Record that this process is the supervisor.

    Raises:
        StorageError: the disk cannot be written.
    """
    started_s = psutil.Process().create_time()
    content = {"pid": os.getpid(), "started_s": started_s, "metrics": metrics}
    try:
        write_atomically(folder.state, json.dumps(content).encode())
    except OSError as error:
        raise StorageError(f"cannot write {folder.state}: {error.strerror}") from error


def retire(folder: JobsFolder) -> None:
    """Record that this process is no longer the supervisor."""
    with contextlib.suppress(OSError):
        folder.state.unlink()


def find(folder: JobsFolder) -> Instance | None:
    """Return the running supervisor; a killed one has left a file but has no process."""
    try:
        content = json.loads(read_file(folder.state, max_bytes=MAX_STATE_BYTES))
        if is_process(content["pid"], content["started_s"]):
            return Instance(content["pid"], content["metrics"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def ensure(folder: JobsFolder, parallel: int | None = None) -> bool:
    """Start a supervisor that outlives this command, unless one is running.

    Returns:
        Whether one was started.

    Raises:
        ProcessFailedError: it ended at once; with its exit code.
        StorageError: the disk cannot be written.
    """
    lock = FileLock(folder.lock, folder=folder.root)
    if not lock.acquire():
        return False
    lock.release()
    words = ["--work", str(folder.work.absolute())]
    if parallel is not None:
        words += ["--parallel", str(parallel)]
    try:
        with open_to_write(folder.log) as log:
            process = start_with_log("orchestrator.jobs", *words, log=log)
    except OSError as error:
        raise StorageError(f"cannot write {folder.log}: {error.strerror}") from error
    _await(folder, process)
    return True


def _await(folder: JobsFolder, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + START_DEADLINE_S
    while find(folder) is None:
        code = process.poll()
        if code == 0:  # another command's supervisor was faster, or there was no more work
            return
        if code is not None:
            raise ProcessFailedError(f"the supervisor ended: {last_error(folder.log)}", code)
        if time.monotonic() > end_s:
            raise SemcomError(f"the supervisor did not start; see {folder.log}")
        time.sleep(POLL_S)
