"""`python -m orchestrator.jobs.runner FOLDER ATTEMPT -- COMMAND...`: one attempt of a job.

It stands between the supervisor and the training so that the exit code is on disk whoever dies:
a supervisor that was killed and started again is not the parent of its jobs any more, and the
code of a process is told to its parent only. It leads the job's session, and its lock sees to it
that no two attempts of a job run at once.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from semcom.files import write_atomically
from semcom.locks import FileLock

HEADING = "attempt "  # the first line of every attempt in the log
BUSY = 75  # another attempt of this job runs
TERMINATED = 128 + signal.SIGTERM


def exit_file(folder: Path, attempt: int) -> Path:
    """Where the exit code of an attempt stands."""
    return folder / f"exit-{attempt}"


def read_exit(folder: Path, attempt: int) -> int | None:
    """The exit code of an attempt, negative for a signal; None while there is none."""
    try:
        return int(exit_file(folder, attempt).read_text())
    except (OSError, ValueError):
        return None


class _Asked:
    """SIGTERM goes to the whole group: the training saves and ends, this process waits for it."""

    def __init__(self) -> None:
        self.yes = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.yes = True


def run(folder: Path, attempt: int, command: list[str]) -> int:
    """Run one attempt to its end and write its exit code down; returns it as a shell would."""
    asked = _Asked()
    lock = FileLock(folder / "run.lock")
    if not lock.acquire():
        return BUSY
    _say(f"{HEADING}{attempt}: {shlex.join(command)}")
    code = TERMINATED if asked.yes else _train(command, asked)
    try:
        write_atomically(exit_file(folder, attempt), str(code).encode())
    except OSError as error:  # our own exit code has to do
        _say(f"error: cannot write into {folder}: {error.strerror}")
    return code if code >= 0 else 128 - code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _train(command: list[str], asked: _Asked) -> int:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        if asked.yes:  # between the look at it and the fork: the child has not heard of it
            process.terminate()
        return process.wait()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[4:]))
