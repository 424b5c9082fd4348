"""Write files that are complete or absent, and read files without waiting and within bounds."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from semcom.errors import StorageError

READ_PIECE_BYTES = 1 << 20
# A device or FIFO must not block, become the terminal, or be inherited by a child.
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MAX_NAME_BYTES = 200  # length of a temporary file's name without its unique part; the limit is 255


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old or the complete new one, even after a crash.

    Of several writers of one file, the last to finish wins; each has its own temporary
    file, which is removed in the end.

    Raises:
        OSError: the disk cannot be written; the old file stays.
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


def open_regular(path: Path) -> int:
    """Open a file for reading and return its descriptor; only a regular file is opened.

    A FIFO, a socket, a device or a folder is refused at once, without waiting and without touching
    a device. A symbolic link is followed.

    Raises:
        OSError: it is missing, not readable, or not a regular file; `strerror` says which.
    """
    try:
        _check_regular(path.stat(), path)  # before opening, which may trigger a device
        descriptor = os.open(path, OPEN_FLAGS)
    except ValueError as error:  # a zero byte in the name
        raise OSError(errno.EINVAL, "its name contains a zero byte", str(path)) from error
    try:
        _check_regular(os.fstat(descriptor), path)  # the file may have been replaced
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_to_write(path: Path, *, append: bool = True) -> BinaryIO:
    """Open a log for writing, created if absent; only a regular file at that path is accepted.

    A FIFO, a device or a folder is neither waited for nor written, nor is a file elsewhere to which
    a symbolic link points.

    Raises:
        OSError: it cannot be written, or is not a regular file; `strerror` says which.
    """
    with suppress(FileNotFoundError):
        _check_regular(path.lstat(), path)
    flags = WRITE_FLAGS | (os.O_APPEND if append else 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        _check_regular(os.fstat(descriptor), path)
        if not append:
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "ab" if append else "wb")


def read_file(
    path: Path, *, max_bytes: int, check: Callable[[os.stat_result], None] | None = None
) -> bytes:
    """Return the content of a regular file of at most `max_bytes`.

    Never reads more than `max_bytes` and one block, whatever size the file states or reaches
    meanwhile. `check` gets the open file and may raise before anything is read.

    Raises:
        OSError: as for `open_regular`, or the file is larger; `strerror` says which.
    """
    pieces: list[bytes] = []
    room = max_bytes + 1
    with os.fdopen(open_regular(path), "rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        if check is not None:
            check(state)
        if state.st_size > max_bytes:
            room = 0
        while room > 0 and (piece := file.read(min(room, READ_PIECE_BYTES))):
            pieces.append(piece)
            room -= len(piece)
    if room <= 0:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", str(path))
    return b"".join(pieces)


def read_end(path: Path, *, max_bytes: int) -> bytes:
    """Return the last bytes of a regular file, at most `max_bytes`, such as the end of a log.

    Raises:
        OSError: as for `open_regular`."""
    with os.fdopen(open_regular(path), "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - max_bytes))
        return file.read(max_bytes)


def read_text(path: Path, *, max_bytes: int) -> str:
    """Return the text, in UTF-8, of a regular file of at most `max_bytes`.

    Raises:
        OSError: as for `read_file`, or the file is not UTF-8; `strerror` says which.
    """
    content = read_file(path, max_bytes=max_bytes)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8: byte 0x{content[error.start]:02x} in line {line}"
        raise OSError(errno.EILSEQ, reason, str(path)) from error


def _check_regular(state: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = next((words for is_it, words in KINDS if is_it(state.st_mode)), "no file")
        raise OSError(errno.EINVAL, f"{kind}, not a regular file", str(path))


def is_there(path: Path) -> bool:
    """Return whether a file or folder exists.

    Raises:
        StorageError: this cannot be determined, as in a folder without search permission.
    """
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(f"cannot look at {path}: {error.strerror}") from error


def may_write(path: Path) -> bool:
    """Return whether this process may write an existing file, or create files in a folder.

    A read-only file system counts as not writable.
    """
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    return os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids)
