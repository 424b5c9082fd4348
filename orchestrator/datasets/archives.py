"""Unpacks archives from elsewhere: nothing lands outside the folder, and all of it or none."""

from __future__ import annotations

import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from semcom.errors import ConfigurationError, StorageError

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar (compressed in any way) to `folder`, which is made by renaming.

    Raises:
        ConfigurationError: no archive, a damaged one, or one with paths that lead elsewhere.
        StorageError: `folder` exists, or the disk is full or refuses.
    """
    if folder.exists():
        raise StorageError(f"{folder} exists already; remove it first")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _extract(archive, fresh)
            fresh.replace(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except _DAMAGE as error:
        raise ConfigurationError(f"{archive} cannot be unpacked: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot unpack {archive} to {folder}: {error}") from error


def _extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                _check_inside(folder, name, archive)
            zipped.extractall(folder)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            _check_inside(folder, member.name, archive)
            if not (member.isfile() or member.isdir()):
                raise ConfigurationError(f"{archive} holds '{member.name}', which is no plain file")
        # Python before 3.11.4 has no filters; 'data' is the strictest of those that have.
        options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(folder, **options)


def _check_inside(folder: Path, name: str, archive: Path) -> None:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{archive} holds '{name}', which leads outside")
