"""One process at a time writes a data set; the next one removes what a killed one left."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.datasets.archives import unpack
from semcom.errors import ConfigurationError, StorageError
from semcom.locks import Holder, exclusive
from semcom.shards import SPLITS, TEMPORARY

logger = logging.getLogger("orchestrator.datasets")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Prevent other processes from writing the data set in this block; wait for one that does."""

    def waiting(holder: Holder) -> None:
        logger.warning("waiting for data set %s, which %s writes", root, holder)

    with exclusive(lock_of(root), f"data set {root}", folder=root, waiting=waiting):
        _remove_left_overs(root)
        yield


def lock_of(root: Path) -> Path:
    """Return the file that is locked while a data set is written."""
    return root.absolute().parent / f".{root.absolute().name}.lock"


def _unpacked(root: Path) -> str:
    return f".{root.absolute().name}.unpacked-"


def _remove_left_overs(root: Path) -> None:
    """Remove what killed processes left behind; no other process is writing now."""
    try:
        folders = [path for path in (root, *(root / split for split in SPLITS)) if path.is_dir()]
        temporary = [path for folder in folders for of in TEMPORARY for path in folder.glob(of)]
        beside = [*root.absolute().parent.iterdir()]
        for path in temporary:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {root}: {error.strerror}") from error
    for path in beside:
        if path.name.startswith(_unpacked(root)):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def opened(source: Path, root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folder of a source and whether it was an archive, unpacked next to `root`.

    Errors about the place where it was unpacked are reported as errors of the archive.

    Raises:
        ConfigurationError: it cannot be read, or is not an archive.
        StorageError: the disk is full or cannot be written.
    """
    try:
        is_archive = source.exists() and not source.is_dir()
    except OSError as error:
        raise ConfigurationError(f"cannot read {source}: {error.strerror}") from error
    if not is_archive:
        yield source, False
        return
    try:
        with tempfile.TemporaryDirectory(prefix=_unpacked(root), dir=root.parent) as folder:
            place = Path(folder) / "unpacked"
            unpack(source, place)
            yield place, True
    except ConfigurationError as error:  # the folder is temporary: the error is in the archive
        raise ConfigurationError(str(error).replace(str(place), str(source))) from error
    except OSError as error:
        raise StorageError(f"cannot unpack {source}: {error.strerror}") from error
