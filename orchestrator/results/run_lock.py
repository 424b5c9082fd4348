"""Exclusive use of a run's folder, and new folders that no two processes share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there
from semcom.locks import FileLock, exclusive

LOGS = "logs"
LOCK = "lock"  # live systems' folders have a file of the same name
LIVE_FOLDER = "live"  # in the folder of runs; contains a folder per live system
MAX_FOLDERS = 10_000  # with the same name

_claims: dict[Path, FileLock] = {}  # folders claimed by this process but not yet held


@contextmanager
def alone_in(folder: Path, runs: Path) -> Iterator[None]:
    """Hold a run's folder exclusively; it is created if absent.

    Args:
        folder: folder of the run.
        runs: folder of runs, whose live systems' folders are excluded.

    Raises:
        ConfigurationError: another process holds it (`HeldError` names that one), or it is a live
            system's.
        StorageError: it cannot be written.
    """
    check_not_live(folder, runs)
    claim = _claims.pop(folder.absolute(), None)
    if claim is not None and claim.in_place:
        try:
            yield
        finally:
            claim.release(remove=True)
        return
    with exclusive(folder / LOCK, f"run folder {folder}", folder=folder):
        yield


def check_not_live(folder: Path, runs: Path) -> None:
    """Check that a run is not in the folder of live systems.

    Raises:
        ConfigurationError: it does.
        StorageError: this cannot be determined, for example because of a loop of links.
    """
    try:
        live, here = (runs / LIVE_FOLDER).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:
        raise StorageError(f"cannot determine the path of {folder} lies: {error}") from error
    if here == live or live in here.parents:
        raise ConfigurationError(
            f"{folder} is for live systems, not for runs: choose another name or --out"
        )


def claim_folder(folder: Path) -> Path:
    """Create `folder`, or the first free one of folder-2, folder-3, ..., and return it.

    It then belongs to this process: `alone_in` holds it, `leave` gives it up. So two simultaneous
    processes get different folders, and a process killed before its run has a ledger leaves a free
    folder.

    Raises:
        StorageError: the disk cannot be written.
    """
    for number in range(1, MAX_FOLDERS):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        lock = _claimed(candidate)
        if lock is not None:
            _claims[candidate.absolute()] = lock
            return candidate
    raise StorageError(
        f"{folder} and {MAX_FOLDERS} more folders of that name exist: choose another"
    )


def last_folder(folder: Path) -> Path:
    """Return the last existing one of `folder`, folder-2, folder-3, ...; else `folder`."""
    last, number = folder, 2
    while is_there(candidate := folder.with_name(f"{folder.name}-{number}")):
        last, number = candidate, number + 1
    return last


def leave(folder: Path) -> None:
    """Give up a claimed folder, and remove it if nothing was written into it."""
    claim = _claims.pop(folder.absolute(), None)
    try:
        if claim is None and _is_free(folder):
            claim = FileLock(folder / LOCK, folder=folder)
            claim.acquire()
        if claim is not None:
            claim.release(remove=True)
        if _is_free(folder) and not is_there(folder / LOCK):  # otherwise someone else has it
            with suppress(FileNotFoundError):
                (folder / LOGS).rmdir()
            folder.rmdir()
    except (OSError, StorageError):  # it is no longer empty, or is not ours
        return


def _claimed(candidate: Path) -> FileLock | None:
    """Hold a folder that is new, or that was left by a run killed before it had a ledger."""
    new = not is_there(candidate)
    try:
        candidate.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # it is not a folder
        return None
    except OSError as error:
        raise StorageError(f"cannot make {candidate}: {error.strerror}") from error
    lock = FileLock(candidate / LOCK, folder=candidate)
    try:
        if _is_free(candidate) and lock.acquire():
            if _is_free(candidate):  # it is still empty now that it is held
                return lock
            lock.release(remove=True)
    except (OSError, StorageError):
        if new:
            raise
    return None


def _is_free(folder: Path) -> bool:
    """Return whether a folder holds nothing but files that a run creates before its ledger."""
    if folder.is_symlink() or not {path.name for path in folder.iterdir()} <= {LOCK, LOGS}:
        return False
    logs = folder / LOGS
    return not is_there(logs) or not any(logs.iterdir())
