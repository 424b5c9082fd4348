"""Run the networks of codecs once in a separate process; the orchestrator does not use torch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from semcom.children import run_module
from semcom.errors import ProcessFailedError

MODULE = "orchestrator.training.probe_process"
NO_TORCH = "the networks were not run: torch is not installed here"


def run_networks(folders: Sequence[Path]) -> list[str]:
    """Load codecs and run each of their halves once; return notes to print after "ok".

    Raises:
        ProcessFailedError: a codec is refused, with its exit code.
    """
    if find_spec("torch") is None:
        return [NO_TORCH]
    done = run_module(MODULE, *folders, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProcessFailedError(last.removeprefix("error: "), done.returncode)
    lines: list[str] = done.stdout.splitlines()
    return lines
