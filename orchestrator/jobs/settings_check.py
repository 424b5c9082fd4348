"""Check the arguments of a training before it is queued, in a process that has torch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from semcom.children import run_module
from semcom.errors import ProcessFailedError

TRAINING = "orchestrator.training"
PREFIXES = ("error: ", "semcom train: error: ")


def check_arguments(arguments: Sequence[str]) -> None:
    """Check the arguments of a training and the settings in them.

    Raises:
        ProcessFailedError: the training would refuse them, with its line and its exit code.
    """
    done = run_module(
        f"{TRAINING}.check_process",
        *arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        line = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        for prefix in PREFIXES:
            line = line.removeprefix(prefix)
        raise ProcessFailedError(line, done.returncode)
