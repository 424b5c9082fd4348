"""Unpack users' archives completely or not at all, and never outside the folder."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from semcom.class_names import shown
from semcom.errors import ConfigurationError, StorageError
from semcom.files import open_regular

MAX_UNPACKED_BYTES = 4 << 30  # the largest known set has half a GiB
MAX_FILES = 1_000_000
MAX_PIECE_BYTES = 16 << 20  # largest read that a header of an archive may cause
MAX_REST_BYTES = 64 << 20  # bytes that may follow the end of a tar
_PIECE_BYTES = 1 << 18
_TAR_END = bytes(tarfile.BLOCKSIZE)
_ENCRYPTED = 1  # in the flags of a file in a zip
_METHODS = {
    zipfile.ZIP_STORED: "stored",
    zipfile.ZIP_DEFLATED: "deflate",
    zipfile.ZIP_BZIP2: "bzip2",
    zipfile.ZIP_LZMA: "lzma",
}
_OTHER_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 93: "zstd", 95: "xz", 99: "AES"}
_OTHER_KINDS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"%PDF": "a PDF document",
}
_NAME_IT = "name the data set's archive or its folder"
_BY_HAND = "unpack it by hand and name its folder with '--from DIR'"
# A name that the file system rejects is an error of the archive, a full disk is not.
_OF_NAMES = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
)


@dataclass(frozen=True)
class _Member:
    """A file or a folder of an archive."""

    name: str
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar (plain, .gz, .bz2, .xz) to `folder`, which is created by renaming.

    Raises:
        ConfigurationError: it is not an archive, is damaged, encrypted or too large, or has names
            that point elsewhere or cannot be written.
        StorageError: `folder` exists, or the disk is full or cannot be written.
    """
    if folder.exists():
        raise StorageError(f"{folder} exists already; remove it first")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise StorageError(f"cannot write {folder.parent}: {error.strerror}") from error
    try:
        with _unpacking(archive):
            _extract(archive, fresh)
        fresh.replace(folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _unpacking(archive: Path) -> Iterator[None]:
    """Turn any error of a library into one line."""
    try:
        yield
    except (ConfigurationError, StorageError):
        raise
    except Exception as error:  # zlib, lzma, struct, tarfile and zipfile may raise anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ConfigurationError(
            f"{archive} cannot be unpacked: it is truncated or damaged ({shown(reason)}); "
            "download it again"
        ) from error


def _extract(archive: Path, folder: Path) -> None:
    room_bytes, files = MAX_UNPACKED_BYTES, 0
    with _opened(archive) as file:
        for member in _members(archive, file):
            files += 1
            if member.size > room_bytes or files > MAX_FILES:
                raise ConfigurationError(
                    f"{archive} unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB or {MAX_FILES} "
                    "files; name the archive of the data set"
                )
            room_bytes -= _write(archive, member, folder, room_bytes)


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    try:
        descriptor = open_regular(archive)
    except OSError as error:
        raise ConfigurationError(f"cannot read {archive}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _members(archive: Path, file: IO[bytes]) -> Iterator[_Member]:
    start = file.read(512)
    file.seek(0)
    if zipfile.is_zipfile(file):
        yield from _of_zip(archive, file)
    elif start.startswith(b"PK"):
        raise ConfigurationError(
            f"{archive} is a truncated or damaged zip archive; download it again"
        )
    else:
        file.seek(0)
        yield from _of_tar(archive, file, start)


def _of_zip(archive: Path, file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as zipped:
        for info in zipped.infolist():
            name = info.filename
            if info.flag_bits & _ENCRYPTED:
                raise ConfigurationError(f"{archive} is encrypted; {_BY_HAND}")
            if info.compress_type not in _METHODS:
                method = _OTHER_METHODS.get(info.compress_type, f"number {info.compress_type}")
                raise ConfigurationError(
                    f"{archive} is compressed by the method {method}, which cannot be read here; "
                    f"{_BY_HAND}"
                )
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ConfigurationError(
                    f"{archive} holds '{shown(name)}', which is not a regular file"
                )
            # Some programs on Windows write their own separator.
            name = name if "/" in name else name.replace("\\", "/")
            folder = info.is_dir() or name.endswith("/")
            yield _Member(name, folder, info.file_size, partial(zipped.open, info))


def _of_tar(archive: Path, file: IO[bytes], start: bytes) -> Iterator[_Member]:
    unpacked = _decompressed(file, start)
    bounded = _Bounded(archive, unpacked)
    try:
        tar = tarfile.TarFile(fileobj=bounded)
    except tarfile.ReadError as error:
        compressed = unpacked is not file
        raise ConfigurationError(_no_archive(archive, start, compressed=compressed)) from error
    with tar:
        for info in tar:
            tar.members = []  # type: ignore[attr-defined]  # it would keep them all
            if not (info.isfile() or info.isdir()):
                raise ConfigurationError(
                    f"{archive} holds '{shown(info.name)}', which is not a regular file"
                )
            opened = partial(tar.extractfile, info)
            yield _Member(info.name, info.isdir(), info.size, opened)
        # tarfile treats a truncated or damaged header as the end.
        bounded.seek(tar.offset)
        if bounded.read(tarfile.BLOCKSIZE) != _TAR_END:
            raise EOFError("it is truncated")
        rest_bytes = 0  # the compressed file's checksums follow
        while rest_bytes < MAX_REST_BYTES and (piece := bounded.read(_PIECE_BYTES)):
            rest_bytes += len(piece)


def _decompressed(file: IO[bytes], start: bytes) -> Any:
    """Return the decompressed file if it is gzip, bzip2 or xz, otherwise the file itself."""
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return lzma.LZMAFile(file)
    return file


def _no_archive(archive: Path, start: bytes, *, compressed: bool) -> str:
    if not start:
        return f"{archive} is empty; download it again"
    if compressed:
        return f"{archive} is a compressed file that contains no tar archive; {_NAME_IT}"
    kind = next((kind for magic, kind in _OTHER_KINDS.items() if start.startswith(magic)), None)
    if kind is not None:
        return f"{archive} is {kind}, not a zip or tar archive; {_BY_HAND}"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return f"{archive} is a web page, not an archive; download it again, logged in where needed"
    return f"{archive} is not a zip or tar archive; {_NAME_IT}"


class _Bounded(io.RawIOBase):
    """A file with bounded reads, because headers of archives determine how much is read."""

    def __init__(self, archive: Path, file: Any) -> None:
        self._archive = archive
        self._file: IO[bytes] = file

    def read(self, size: int = -1) -> bytes:
        """Read that number of bytes."""
        if not 0 <= size <= MAX_PIECE_BYTES:
            raise ConfigurationError(
                f"{self._archive} has a header of {size} bytes; download it again"
            )
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        """Set the position."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._file.tell()

    def seekable(self) -> bool:
        """It is."""
        return True


def _place(archive: Path, folder: Path, name: str) -> Path:
    if "\0" in name or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{archive} holds '{shown(name)}', which is a path outside of it")
    return folder / name


def _write(archive: Path, member: _Member, folder: Path, room_bytes: int) -> int:
    """Write a member; return its size."""
    written = 0
    with _writing(archive, member.name):
        path = _place(archive, folder, member.name)
        (path if member.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
    source = None if member.is_folder else member.open()
    if source is None:
        return 0
    with source, _writing(archive, member.name), path.open("wb") as target:
        while piece := _piece(source):
            written += len(piece)
            if written > room_bytes:
                raise ConfigurationError(f"{archive} unpacks to more than its header states")
            target.write(piece)
    return written


def _piece(source: IO[bytes]) -> bytes:
    try:
        return source.read(_PIECE_BYTES)
    except OSError as error:  # from bz2 and gzip: the archive is damaged, the disk is not the cause
        raise EOFError(str(error)) from error


@contextmanager
def _writing(archive: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _OF_NAMES:
            raise ConfigurationError(
                f"{archive} holds '{shown(name)}', which cannot be written: {error.strerror}"
            ) from error
        raise StorageError(f"cannot unpack {archive}: {error.strerror}") from error
    except UnicodeError as error:
        raise ConfigurationError(
            f"{archive} holds '{shown(name)}', which is not a valid name"
        ) from error
