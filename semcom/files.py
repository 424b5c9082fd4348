"""Files that are whole or absent, and files that are read without waiting and within bounds."""

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
# A device or FIFO must not make us wait, nor become our terminal, nor be handed to a child.
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


def open_regular(path: Path) -> int:
    """Open a file for reading and return its descriptor; only a regular file is opened.

    A FIFO, a socket, a device or a folder is refused at once: none is waited for, and no
    device is touched. A symbolic link is followed.

    Raises:
        OSError: missing, not readable, or not a regular file; `strerror` says it in words.
    """
    try:
        _check_regular(path.stat(), path)  # before it is opened: that may move a device
        descriptor = os.open(path, OPEN_FLAGS)
    except ValueError as error:  # a zero byte in the name
        raise OSError(errno.EINVAL, "its name holds a zero byte", str(path)) from error
    try:
        _check_regular(os.fstat(descriptor), path)  # what was there may have been replaced
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_to_write(path: Path, *, append: bool = True) -> BinaryIO:
    """Open a log to be written, made if absent; only a regular file at that very place is.

    Nothing else is waited for or written: no FIFO, device or folder, and no file elsewhere that a
    symbolic link leads to.

    Raises:
        OSError: it cannot be written, or is no regular file; `strerror` says it in words.
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

    Never holds more than `max_bytes` and one piece, whatever the file claims or becomes while
    it is read. `check` is told what was opened and may raise before anything is read.

    Raises:
        OSError: as `open_regular`, or the file is larger; `strerror` says it in words.
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
    """Return the last bytes of a regular file, `max_bytes` at most: of a log, however long.

    Raises:
        OSError: as `open_regular`.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - max_bytes))
        return file.read(max_bytes)


def read_text(path: Path, *, max_bytes: int) -> str:
    """Return the text, in UTF-8, of a regular file of at most `max_bytes`.

    Raises:
        OSError: as `read_file`, or the file is not UTF-8; `strerror` says it in words.
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
