"""Logs of jobs: find the reason of a failure, and follow a log."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.jobs.runner import HEADING
from semcom.files import open_regular, read_end

TAIL_BYTES = 64 << 10
CHUNK_BYTES = 64 << 10
MAX_LINE = 300
# The last line of a Python traceback: the exception and its text.
EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b")


def last_error_line(log: Path) -> str:
    """Return the last line of the last attempt that names an error, otherwise its last line."""
    try:
        lines = read_end(log, max_bytes=TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return f"see {log}"
    begun = max((at for at, line in enumerate(lines) if line.startswith(HEADING)), default=-1)
    lines = [line.strip() for line in lines[begun + 1 :] if line.strip()]
    named = [line for line in lines if line.startswith("error:")]
    raised = [line for line in lines if EXCEPTION.match(line)]
    line = (named or raised or lines or [f"see {log}"])[-1]
    return line.removeprefix("error:").strip()[:MAX_LINE]


def read_along(log: Path, ended: Callable[[], bool], *, poll_s: float) -> Iterator[bytes]:
    """Yield a log's bytes from its start, waiting for more until `ended` returns true."""
    offset = 0
    while True:
        last_round = ended()  # called before reading, so that nothing is missed
        while chunk := _read(log, offset):
            offset += len(chunk)
            yield chunk
        if last_round:
            return
        time.sleep(poll_s)


def _read(log: Path, offset: int) -> bytes:
    try:
        with os.fdopen(open_regular(log), "rb") as file:
            file.seek(offset)
            return file.read(CHUNK_BYTES)
    except FileNotFoundError:  # it has not started
        return b""
