"""`python -m orchestrator.jobs.runner FOLDER ATTEMPT -- COMMAND...`: one attempt of a job.

It runs between the supervisor and the training, so that the exit code reaches the disk whichever
process dies: a restarted supervisor is no longer the parent of its jobs, and only the parent of a
process gets its code. It leads the job's session, and its lock ensures that only one attempt of a
job runs at a time.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

from semcom.children import start_command
from semcom.entry import run_process
from semcom.files import read_text, write_atomically
from semcom.locks import FileLock
from semcom.stop_signals import StopRequest, in_silence, stop_requests

MAX_EXIT_BYTES = 100
HEADING = "attempt "  # the first line of every attempt in the log
BUSY = 75  # another attempt of this job runs
TERMINATED = 128 + signal.SIGTERM


def exit_file(folder: Path, attempt: int) -> Path:
    """Return the file with the exit code of an attempt."""
    return folder / f"exit-{attempt}"


def read_exit(folder: Path, attempt: int) -> int | None:
    """Return the exit code of an attempt, negative for a signal; None while there is none."""
    try:
        return int(read_text(exit_file(folder, attempt), max_bytes=MAX_EXIT_BYTES))
    except (OSError, ValueError):
        return None


def run(folder: Path, attempt: int, command: list[str]) -> int:
    """Run one attempt to its end and write its exit code; return it as a shell would.

    SIGTERM goes to the whole group: the training reports it, saves and ends; this process waits.
    """
    with stop_requests("", insist=False, say=in_silence) as stop:
        return _run(folder, attempt, command, stop)


def _run(folder: Path, attempt: int, command: list[str], stop: StopRequest) -> int:
    lock = FileLock(folder / "run.lock", folder=folder)
    if not lock.acquire():
        return BUSY
    _say(f"{HEADING}{attempt}: {shlex.join(command)}")
    code = TERMINATED if stop.asked else _train(command, stop)
    try:
        write_atomically(exit_file(folder, attempt), str(code).encode())
    except OSError as error:  # only our own exit code remains
        _say(f"error: cannot write into {folder}: {error.strerror}")
    return code if code >= 0 else 128 - code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _train(command: list[str], stop: StopRequest) -> int:
    with start_command(command, stdin=subprocess.DEVNULL) as process:
        if stop.asked:  # it arrived before the fork, so the child did not get it
            process.terminate()
        code: int = process.wait()
        return code


if __name__ == "__main__":
    sys.exit(run_process(lambda: run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[4:])))
