"""The ledger's file: how it is opened to be written or only read, and whether it is still there.

It is in SQLite's write-ahead mode while a run writes it and in rollback mode once that run has
closed it: such a file can be read where nothing can be written. Ledgers that were left in
write-ahead mode, by a kill or by an earlier version, are read on such media too.
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
CLOSING_BUSY_MS = 500  # readers may keep a ledger in write-ahead mode: it is no loss
ALL_FILES = ("", "-wal", "-shm", "-journal")
SIDE_FILES = ("-wal", "-journal")  # without these the main file is not all that was committed

Place = dict[Path, tuple[int, int]]  # device and inode of each file


class Opened:
    """A connection to a ledger, and what must be cleared away with it."""

    def __init__(self, database: sqlite3.Connection, copy: Path | None = None) -> None:
        self.database = database
        self._copy = copy

    def close(self) -> None:
        """Close it."""
        self.database.close()
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)


def open_to_write(path: Path) -> Opened:
    """Open or create a ledger for the one process that fills it.

    Raises:
        StorageError: something else lies in the place of one of its files.
    """
    _check_files(path)
    if path.exists() and path.stat().st_nlink > 1:
        raise StorageError(f"{path} is one file under several names: copy it, and resume the copy")
    # The thread that ends a hosted sweep is not the one that began it; never two at once.
    database = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
    except BaseException:
        database.close()
        raise
    return Opened(database)


def close_for_readers(database: sqlite3.Connection) -> None:
    """Merge the write-ahead log into the file, so that it can be read where nobody may write."""
    with suppress(sqlite3.Error):
        database.execute(f"PRAGMA busy_timeout={CLOSING_BUSY_MS}")
        database.execute("PRAGMA journal_mode=DELETE")


def open_to_read(path: Path) -> Opened:
    """Open a ledger without changing what it says: one snapshot, also while a run goes on.

    Where SQLite would have to write beside the file and may not, the file is read as it is if it
    holds all that was committed, or else as a copy together with its log.

    Raises:
        StorageError: there is no room for that copy, or something else lies in its place.
        sqlite3.Error: it is no database, or is locked.
    """
    _check_files(path)
    # Who may write leaves no files of SQLite's behind, and merges a log that a kill has left.
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
    """Which files a ledger is made of now, the log of a run under way among them."""
    found: Place = {}
    for file in (path, Path(f"{path}-wal")):
        with suppress(OSError):
            status = file.stat()
            found[file] = (status.st_dev, status.st_ino)
    return found


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into one line that says what to do.

    Raises:
        StorageError: the file is damaged, locked, or the disk refuses.
    """
    try:
        yield
    except (sqlite3.Error, MemoryError, UnicodeError) as error:  # the latter two: of damaged ones
        detail = one_line(str(error)) or "it asks for more memory than there is"
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
    """See that SQLite meets regular files alone: it would wait for a FIFO and answer no signal.

    Raises:
        StorageError: one of its files is none.
    """
    for name in ALL_FILES:
        file = Path(f"{path}{name}")
        if os.path.lexists(file) and not file.is_file():
            raise StorageError(f"{file} is no regular file: remove it")


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
