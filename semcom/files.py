"""Files that are whole or absent."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from semcom.errors import StorageError

MAX_NAME_BYTES = 200  # of a temporary file's, without what makes it unique; 255 is the most


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the whole new one, also after a crash.

    Of several writers of one file the last one to finish wins; each has a temporary file of its
    own, which is gone in the end.

    Raises:
        OSError: the disk refuses; the old file stays.
    """
    stem = os.fsdecode(os.fsencode(path.name)[:MAX_NAME_BYTES])
    temporary = path.with_name(f".{stem}.{os.getpid()}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_there(path: Path) -> bool:
    """Return whether a file or folder is there.

    Raises:
        StorageError: that cannot be told, as in a folder that may not be searched.
    """
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(f"cannot look at {path}: {error.strerror}") from error


def may_write(path: Path) -> bool:
    """Return whether this process may write a file, or make files in a folder, that is there.

    A file system that is mounted to be read counts too.
    """
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    return os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids)
