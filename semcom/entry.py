"""Start and end a process: its environment, stop signals and exit code."""

from __future__ import annotations

from collections.abc import Callable

from semcom.children import clean_environment
from semcom.stop_signals import Say, Stopped, stopping_at_once, to_stderr


def run_process(work: Callable[[], int], *, say: Say = to_stderr) -> int:
    """Do a process's work; returns its exit code, or that of the signal which ended it."""
    clean_environment()
    try:
        with stopping_at_once(say):
            return work()
    except Stopped as stopped:
        return stopped.exit_code
