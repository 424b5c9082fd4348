"""One process at a time writes a data set; what a killed one left is removed by the next one."""

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
    """Keep other processes from writing the data set meanwhile, and wait for one that does."""

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
    """Remove what processes left behind that were killed; no other process writes here now."""
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
    """Yield the folder of a source, and whether it was an archive, which is unpacked beside `root`.

    What is raised meanwhile about the place where it was unpacked is told of the archive.

    Raises:
        ConfigurationError: it cannot be read, or is no archive.
        StorageError: the disk is full or refuses.
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
    except ConfigurationError as error:  # the place is gone: what is wrong lies in the archive
        raise ConfigurationError(str(error).replace(str(place), str(source))) from error
    except OSError as error:
        raise StorageError(f"cannot unpack {source}: {error.strerror}") from error
