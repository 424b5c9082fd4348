"""The ledger's file: opening it for writing or reading, and checking that it still exists.

It is in SQLite's write-ahead mode while a run writes it and in rollback mode once that run has
closed it, so that it can be read on read-only media. Ledgers left in write-ahead mode, by a kill or
by an older version, can be read there, too.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from semcom.errors import StorageError, one_line
from semcom.files import may_write

BUSY_S = 10.0
CLOSING_BUSY_MS = 500  # readers may keep a ledger in write-ahead mode, which does no harm
ALL_FILES = ("", "-wal", "-shm", "-journal")
SIDE_FILES = ("-wal", "-journal")  # without these the main file lacks committed content

Place = dict[Path, tuple[int, int]]  # device and inode of each file


class Opened:
    """A connection to a ledger, and its temporary files."""

    def __init__(self, database: sqlite3.Connection, copy: Path | None = None) -> None:
        self.database = database
        self._copy = copy

    def close(self) -> None:
        """Close it."""
        self.database.close()
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)


def open_to_write(path: Path) -> Opened:
    """Open or create a ledger for the single process that writes it.

    Raises:
        StorageError: one of its files is not a regular file.
    """
    _check_files(path)
    if path.exists() and path.stat().st_nlink > 1:
        raise StorageError(f"{path} is one file under several names: copy it, and resume the copy")
    # Another thread ends a hosted sweep than began it; never two at the same time.
    database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
    except BaseException:
        database.close()
        raise
    return Opened(database)


def close_for_readers(database: sqlite3.Connection) -> None:
    """Merge the write-ahead log into the file, so that it can be read in a read-only folder."""
    with suppress(sqlite3.Error):
        database.execute(f"PRAGMA busy_timeout={CLOSING_BUSY_MS}")
        database.execute("PRAGMA journal_mode=DELETE")


def open_to_read(path: Path) -> Opened:
    """Open a ledger without changing it: one snapshot, also while a run continues.

    If SQLite would have to write next to the file and cannot, the file is read directly if it holds
    everything that was committed, otherwise as a copy together with its log.

    Raises:
        StorageError: there is no room for that copy, or a file is not a regular one.
        sqlite3.Error: it is not a database, or is locked.
    """
    _check_files(path)
    # With write permission, no files of SQLite remain, and a log left by a kill is merged.
    writable = may_write(path) and may_write(path.parent)
    try:
        return _snapshot(path, "mode=rw" if writable else "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
    sides = [side for name in SIDE_FILES if _holds_content(side := Path(f"{path}{name}"))]
    if not sides:
        return _snapshot(path, "mode=ro&immutable=1")
    try:
        folder = Path(tempfile.mkdtemp(prefix="semcom-ledger-"))
    except OSError as error:
        raise StorageError(
            f"cannot copy {path} to read it: {error.strerror}; set TMPDIR"
        ) from error
    try:
        for file in (path, *sides):
            shutil.copyfile(file, folder / file.name)
        return _snapshot(folder / path.name, "mode=rw", copy=folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StorageError(
            f"cannot copy {path} to {folder} to read it: {error.strerror}; set TMPDIR"
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def place_of(path: Path) -> Place:
    """Return the files of a ledger, including the log of a run in progress."""
    found: Place = {}
    for file in (path, Path(f"{path}-wal")):
        with suppress(OSError):
            status = file.stat()
            found[file] = (status.st_dev, status.st_ino)
    return found


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what to do.

    Raises:
        StorageError: the file is damaged, locked, or the disk cannot be written.
    """
    try:
        yield
    except (sqlite3.Error, MemoryError, UnicodeError) as error:  # the latter two: of damaged ones
        detail = one_line(str(error)) or "it needs more memory than is available"
        raise StorageError(f"ledger {path}: {detail}; {_remedy(error)}") from error


def _snapshot(path: Path, options: str, *, copy: Path | None = None) -> Opened:
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA query_only=ON")
        database.execute("BEGIN")
        database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return Opened(database, copy)


def _check_files(path: Path) -> None:
    """Check that SQLite gets only regular files: it would wait for a FIFO and react to no signal.

    Raises:
        StorageError: one of its files is not a regular file.
    """
    for name in ALL_FILES:
        file = Path(f"{path}{name}")
        if os.path.lexists(file) and not file.is_file():
            raise StorageError(f"{file} is not a regular file: remove it")


def _holds_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _remedy(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process has it open: try again when that has ended"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "it cannot be written: choose another --out, or change its permissions"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return "it is damaged: take a copy of it, or run again into another --out"
        case _:
            return "free the disk and resume"
