"""Draws a report in a separate process, for processes that run on afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.plan.folders import DATA
from orchestrator.reports.report import REPORT
from semcom.children import run_module
from semcom.errors import ProcessFailedError


def write_report_apart(folder: Path, sources: Sequence[Path], *, data: Path = DATA) -> Path:
    """Run `write_report` as `semcom report`: the memory for drawing (30 MiB) is freed afterwards.

    Raises:
        ProcessFailedError: it could not be drawn; the sources are unchanged.
    """
    done = run_module(
        "orchestrator",
        *("report", *sources, "--out", folder, "--data", data),
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
