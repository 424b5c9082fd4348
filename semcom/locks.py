"""One process at a time: `flock` on a file that names its holder.

The kernel releases a lock when its holder ends, however it ends, so there are no stale locks; a
stopped process keeps its lock. The file's content only serves to name the holder in messages. A
file can be deleted while it is held, so if a folder is to be held, the folder itself is locked,
too: a process that finds no file is still excluded.

On NFS, Linux turns `flock` into a lock at the server, which holds across all hosts; a share mounted
with `local_lock` or `nolock` only locks within each host. NFS cannot lock folders, so there the
file is the only lock. A file system without locks is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there

POLL_S = 0.05
WAITING_S = 5.0  # between two notices of what a process waits for
MAX_COMMAND = 200  # characters of a holder's command, in a message
MAX_BYTES = 1 << 14  # bytes of the file that are read
_NAMING_S = 0.2  # a holder writes its name right after it gets the lock


class HeldError(ConfigurationError):
    """Another process holds the lock; `holder` says which."""

    def __init__(self, what: str, holder: Holder) -> None:
        super().__init__(f"{what} is in use by {holder}; let it end, or choose another")
        self.holder = holder


@dataclass(frozen=True)
class Holder:
    """The holder of a lock; without `pid` if it could not write its name."""

    pid: int | None = None
    host: str = ""
    command: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "another process"
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{where}" + (f" ({self.command})" if self.command else "")


class FileLock:
    """One holder at a time, in this process or another one.

    The lock is not inherited by programs that this process starts.
    """

    def __init__(self, path: Path, *, folder: Path | None = None) -> None:
        """Set the paths; nothing is opened yet.

        Args:
            path: the lock's file.
            folder: the folder that is held, if it is one: it is locked, too.
        """
        self._path = path
        self._guarded = folder
        self._file: int | None = None
        self._folder: int | None = None

    def __enter__(self) -> Self:
        """Return the lock; it is released at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Take the lock, waiting for a limited time; return whether it was taken.

        Raises:
            StorageError: the file cannot be opened, or its file system has no locks.
        """
        end_s = time.monotonic() + wait_s
        while not self._taken():
            if time.monotonic() >= end_s:
                return False
            time.sleep(POLL_S)
        return True

    def release(self, *, remove: bool = False) -> None:
        """Release the lock; `remove` also deletes the file, which is safe while it is held."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            if remove and self.in_place:  # a recreated folder has another process's
                self._path.unlink(missing_ok=True)
            else:
                os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = None
        self._release_folder()

    @property
    def in_place(self) -> bool:
        """Return whether the held file is still in place: neither deleted nor replaced."""
        return self._file is not None and self._is_current(self._file)

    def holder(self) -> Holder:
        """Return the holder named in the file, if that process is still running."""
        end_s = time.monotonic() + _NAMING_S
        while (found := self._read()) is None and time.monotonic() < end_s:
            time.sleep(_NAMING_S / 10)
        return found or Holder()

    def _taken(self) -> bool:
        """Take the folder first, so that a process that fails creates no new file."""
        try:
            if self._guarded is not None:
                folder = os.open(self._guarded, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._folder = folder
                if not _locked_if_it_can_be(folder):
                    return self._release_folder()
            return self._file_taken() or self._release_folder()
        except OSError as error:
            self._release_folder()
            raise StorageError(f"cannot lock {self._path}: {error.strerror}") from error
        except BaseException:
            self._release_folder()
            raise

    def _release_folder(self) -> Literal[False]:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        return False

    def _file_taken(self) -> bool:
        while True:
            file = self._open()
            locked, current = _locked(file), self._is_current(file)
            if locked and current:
                break
            os.close(file)
            if current:
                return False  # otherwise its last holder has removed it and there is a new one
        self._file = file
        with contextlib.suppress(OSError):  # full disk: held, but without a name
            os.ftruncate(file, 0)
            os.pwrite(file, _own_name(), 0)
        return True

    def _open(self) -> int:
        # Others may write to the folder: links are not followed, so no other file is truncated.
        flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            file = os.open(self._path, flags | os.O_RDWR | os.O_CREAT, 0o644)
        except PermissionError:  # another user's file can be locked even if it cannot be written
            if not self._path.exists():
                raise
            file = os.open(self._path, flags | os.O_RDONLY)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise StorageError(f"cannot lock {self._path}: it is not a regular file; remove it")
        return file

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path.stat(follow_symlinks=False))
        except OSError:
            return False

    def _read(self) -> Holder | None:
        try:
            with self._path.open("rb") as file:
                content = json.loads(file.read(MAX_BYTES))
            found = Holder(int(content["pid"]), str(content["host"]), str(content["command"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if found.host != socket.gethostname() or _lives(found.pid) else None


@contextmanager
def exclusive(
    path: Path,
    what: str,
    *,
    folder: Path | None = None,
    waiting: Callable[[Holder], None] | None = None,
) -> Iterator[None]:
    """Hold `what` exclusively during the block, with a lock on `path`, which is then removed.

    Args:
        path: the lock's file; its folder is created if absent.
        what: name of what is held, for messages, such as "data set cifar10".
        folder: the folder that is held, if it is one: created if absent, removed if still empty.
        waiting: called with the holder, immediately and then every WAITING_S; it may raise to give
            up. Without it, the call does not wait.

    Raises:
        HeldError: another process holds it, and `waiting` is not given.
        StorageError: the folder cannot be written, or its file system has no locks.
    """
    lock = FileLock(path, folder=folder)
    made = folder if folder is not None and not is_there(folder) else None
    for needed in filter(None, (path.parent, folder)):
        try:
            needed.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot create {needed}: {error.strerror}") from error
    wait_s = 0.0
    while not lock.acquire(wait_s):
        holder = lock.holder()
        if waiting is None:
            raise HeldError(what, holder)
        waiting(holder)
        wait_s = WAITING_S
    try:
        yield
    finally:
        lock.release(remove=True)
        if made is not None:
            with contextlib.suppress(OSError):
                made.rmdir()


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(file)
        raise
    return True


def _locked_if_it_can_be(folder: int) -> bool:
    """Lock a folder; also return True if the file system cannot lock folders, as on NFS."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _lives(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except PermissionError:  # it is running and belongs to another user
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _own_name() -> bytes:
    name = {"pid": os.getpid(), "host": socket.gethostname(), "command": _own_command()}
    return json.dumps(name).encode()


def _own_command() -> str:
    """Return the command line of this process, without the path of its program."""
    program, *rest = sys.orig_argv or [""]
    if rest and Path(rest[0]).is_absolute():  # a script run by Python
        program, *rest = rest
    text = shlex.join([Path(program).name, *rest])
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= MAX_COMMAND else line[: MAX_COMMAND - 3] + "..."
