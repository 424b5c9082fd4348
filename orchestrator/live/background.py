"""A live system in a separate process: start it until every link streams, and end it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from orchestrator.live.client import change, read_status
from orchestrator.live.live_folder import UP_LOG, Found, Home
from semcom.children import start_with_log
from semcom.errors import ConfigurationError, ProcessFailedError, SemcomError
from semcom.files import read_end

POLL_S = 0.1
MAX_LOG_BYTES = 1 << 16  # bytes of the log read to report why it ended
READY_DEADLINE_S = 300.0
DOWN_DEADLINE_S = 60.0


def start(home: Home, words: Sequence[str]) -> Found:
    """Start `semcom up` with these words in the background; return when every link streams.

    Raises:
        ConfigurationError: it is already up.
        ProcessFailedError: it ended before that, with its error and exit code.
        SemcomError: not every link streams after some minutes; it keeps running.
    """
    if home.find() is not None:
        raise ConfigurationError(
            f"live system '{home.name}' is up; end it with: {home.command('down')}"
        )
    with home.open_log() as output:
        process = start_with_log("orchestrator", "up", *words, log=output)
    deadline_s = time.monotonic() + READY_DEADLINE_S
    while True:
        found = home.find()
        if found is not None and _streams(found):
            return found
        code = process.poll()
        if code is not None:
            raise ProcessFailedError(_last_line(home.logs / UP_LOG), code)
        if time.monotonic() > deadline_s:
            raise SemcomError(
                f"not all links are streaming; see {home.logs} and: {home.command('status')}"
            )
        time.sleep(POLL_S)


def end(system: Found) -> None:
    """End a live system and wait for it; frames in flight are finished.

    Raises:
        ConfigurationError: no system answers there.
        SemcomError: it does not end.
    """
    change(system, "/api/stop", {})
    if system.pid is None:  # on another machine
        return
    try:
        psutil.Process(system.pid).wait(DOWN_DEADLINE_S)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired as error:
        raise SemcomError(f"process {system.pid} does not end; kill it") from error


def _streams(system: Found) -> bool:
    try:
        return all(link["recorded"] for link in read_status(system)["links"])
    except ConfigurationError:
        return False


def _last_line(log: Path) -> str:
    text = read_end(log, max_bytes=MAX_LOG_BYTES).decode(errors="replace")
    lines = text.strip().splitlines() or ["it ended immediately"]
    return lines[-1].removeprefix("error: ")
