"""A lock that its holder's death frees: `flock` on a file that stays."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

POLL_S = 0.05


class FileLock:
    """One holder at a time, in this process or another one of this host."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Take the lock, waiting so long for it; whether it was taken."""
        end_s = time.monotonic() + wait_s
        # Not inherited by children: they would hold the lock longer than this process lives.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end_s:
                    os.close(file)
                    return False
                time.sleep(POLL_S)
            else:
                self._file = file
                return True

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
