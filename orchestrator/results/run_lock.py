"""One process at a time in a run's folder, and folders that no two processes take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there
from semcom.locks import FileLock, exclusive

LOGS = "logs"
LOCK = "lock"  # a live system's folder has one of the same name
LIVE_FOLDER = "live"  # below the folder of runs: live systems have a folder each in it
MAX_FOLDERS = 10_000  # of one name


@contextmanager
def alone_in(folder: Path, runs: Path) -> Iterator[None]:
    """Hold a run's folder, made if absent, for this process alone.

    Args:
        folder: of the run.
        runs: folder of runs; its live systems' folders are not for runs.

    Raises:
        ConfigurationError: another process holds it (`HeldError` names that one), or it is a live
            system's.
        StorageError: it cannot be written.
    """
    check_not_live(folder, runs)
    with exclusive(folder / LOCK, f"run folder {folder}", folder=folder):
        yield


def check_not_live(folder: Path, runs: Path) -> None:
    """See that a run does not lie where live systems lie.

    Raises:
        ConfigurationError: it does.
        StorageError: that cannot be told, as of a loop of links.
    """
    try:
        live, here = (runs / LIVE_FOLDER).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:
        raise StorageError(f"cannot tell where {folder} lies: {error}") from error
    if here == live or live in here.parents:
        raise ConfigurationError(
            f"{folder} is for live systems, not for runs: choose another name or --out"
        )


def claim_folder(folder: Path) -> Path:
    """Make `folder`, or the first of folder-2, folder-3, ... that does not exist, and return it.

    Two processes that ask at once get different ones. A folder in which a run was killed before it
    had a ledger is made anew.

    Raises:
        StorageError: the disk refuses.
    """
    for number in range(1, MAX_FOLDERS):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if is_there(candidate) and not _cleared(candidate):
            continue
        try:
            candidate.mkdir(parents=True)
            return candidate
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError(f"cannot make {candidate}: {error.strerror}") from error
    raise StorageError(f"{folder} and {MAX_FOLDERS} more of that name are there: choose another")


def last_folder(folder: Path) -> Path:
    """The last of `folder`, folder-2, folder-3, ... that exists; `folder` if none does."""
    last, number = folder, 2
    while is_there(candidate := folder.with_name(f"{folder.name}-{number}")):
        last, number = candidate, number + 1
    return last


def leave(folder: Path) -> None:
    """Remove a folder that was made for a run if nothing came of it."""
    if not _cleared(folder):
        with suppress(OSError):
            folder.rmdir()


def _cleared(folder: Path) -> bool:
    """Remove a folder that holds a lock that nobody has, and no more; whether it was one.

    An empty folder is none: another process may have made it just now, to hold it next.
    """
    try:
        found = {path.name for path in folder.iterdir()}
        if LOCK not in found or not found <= {LOCK, LOGS}:
            return False
        with FileLock(folder / LOCK, folder=folder) as lock:
            if not lock.acquire():
                return False
            if LOGS in found:
                (folder / LOGS).rmdir()
            lock.release(remove=True)
        folder.rmdir()
    except (OSError, StorageError):  # something came into it, or is none of ours
        return False
    return True
