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

_claims: dict[Path, FileLock] = {}  # folders that this process has claimed and not yet held


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
    """Make `folder`, or the first of folder-2, folder-3, ... that is free, and return it.

    It is this process's from then on: `alone_in` holds it, `leave` gives it up. So two processes
    that ask at once get different ones, and one that is killed before its run has a ledger leaves
    a folder that is free again.

    Raises:
        StorageError: the disk refuses.
    """
    for number in range(1, MAX_FOLDERS):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        lock = _claimed(candidate)
        if lock is not None:
            _claims[candidate.absolute()] = lock
            return candidate
    raise StorageError(f"{folder} and {MAX_FOLDERS} more of that name are there: choose another")


def last_folder(folder: Path) -> Path:
    """The last of `folder`, folder-2, folder-3, ... that exists; `folder` if none does."""
    last, number = folder, 2
    while is_there(candidate := folder.with_name(f"{folder.name}-{number}")):
        last, number = candidate, number + 1
    return last


def leave(folder: Path) -> None:
    """Give up a folder that was claimed, and remove it if nothing came of it."""
    claim = _claims.pop(folder.absolute(), None)
    try:
        if claim is None and _is_free(folder):
            claim = FileLock(folder / LOCK, folder=folder)
            claim.acquire()
        if claim is not None:
            claim.release(remove=True)
        if _is_free(folder) and not is_there(folder / LOCK):  # else somebody has it
            with suppress(FileNotFoundError):
                (folder / LOGS).rmdir()
            folder.rmdir()
    except (OSError, StorageError):  # something came into it, or is none of ours
        return


def _claimed(candidate: Path) -> FileLock | None:
    """Hold a folder that is new, or that a run left which was killed before it had a ledger."""
    new = not is_there(candidate)
    try:
        candidate.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # it is no folder
        return None
    except OSError as error:
        raise StorageError(f"cannot make {candidate}: {error.strerror}") from error
    lock = FileLock(candidate / LOCK, folder=candidate)
    try:
        if _is_free(candidate) and lock.acquire():
            if _is_free(candidate):  # nothing came into it before it was held
                return lock
            lock.release(remove=True)
    except (OSError, StorageError):
        if new:
            raise
    return None


def _is_free(folder: Path) -> bool:
    """Whether a folder holds nothing but what a run makes before its ledger."""
    if folder.is_symlink() or not {path.name for path in folder.iterdir()} <= {LOCK, LOGS}:
        return False
    logs = folder / LOGS
    return not is_there(logs) or not any(logs.iterdir())
