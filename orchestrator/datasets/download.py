"""Download the official archives; the complete file is checked before it is unpacked."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from orchestrator.cli.terminal import Terminal
from semcom.errors import ConfigurationError, StorageError

_TIMEOUT_S = 30.0  # without receiving a byte
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Archive:
    """A file to download, and the MD5 that its publisher states."""

    url: str
    md5: str

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return Path(urlsplit(self.url).path).name


CIFAR10 = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"
)
CIFAR100 = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"
)
TINY_IMAGENET = Archive(
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de"
)


def download(archive: Archive, folder: Path) -> Path:
    """Download an archive into `folder` unless it is there; return the file.

    The file gets its name only when it is complete and its checksum is correct. After a failure,
    the next call starts from scratch.

    Raises:
        ConfigurationError: the network or the server failed, or the checksum is wrong.
        StorageError: the disk is full or cannot be written.
    """
    path = folder / archive.file_name
    try:
        if path.is_file() and _md5(path) == archive.md5:
            return path
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(".part", f".{archive.file_name}.", folder)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                _fetch(archive, file)
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path


def _fetch(archive: Archive, file: IO[bytes]) -> None:
    md5, size = hashlib.md5(usedforsecurity=False), 0
    for block in _blocks(archive):
        file.write(block)
        md5.update(block)
        size += len(block)
    if md5.hexdigest() != archive.md5:
        raise ConfigurationError(
            f"{archive.url} gave {size} bytes with MD5 {md5.hexdigest()}, expected {archive.md5}: "
            "the file is damaged or has changed; try again, or name a copy on disk with "
            "'--from DIR'"
        )


def _blocks(archive: Archive) -> Iterator[bytes]:
    """The bytes of the file, with a progress bar on a terminal."""
    console = Terminal(stderr=True)
    columns = (*Progress.get_default_columns()[:2], DownloadColumn(), TransferSpeedColumn())
    try:
        with (
            urllib.request.urlopen(archive.url, timeout=_TIMEOUT_S) as response,
            Progress(
                *columns, TimeRemainingColumn(), console=console, disable=not console.at_terminal
            ) as progress,
        ):
            length = response.headers.get("Content-Length")
            task = progress.add_task(archive.file_name, total=int(length) if length else None)
            while block := response.read(_BLOCK_BYTES):
                progress.advance(task, len(block))
                yield block
    except (http.client.HTTPException, OSError) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(
            f"cannot download {archive.url} ({reason}); fetch it on another machine, unpack it "
            "and name its folder with '--from DIR'"
        ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
