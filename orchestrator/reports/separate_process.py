"""Draws a report in a process of its own, for a process that lives on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.reports.report import REPORT
from semcom.children import run_module
from semcom.errors import ProcessFailedError


def write_report_apart(folder: Path, sources: Sequence[Path]) -> Path:
    """`write_report` with `semcom report`: what drawing holds (30 MiB) goes when it is drawn.

    Raises:
        ProcessFailedError: it could not be drawn; the sources are as they were.
    """
    done = run_module(
        "orchestrator",
        *("report", *sources, "--out", folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C at a terminal is for the orchestrator
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        text = f"no report of {folder}: {last.removeprefix('error: ')}"
        raise ProcessFailedError(text, done.returncode)
    return folder / REPORT
