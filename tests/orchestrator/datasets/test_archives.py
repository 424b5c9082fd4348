"""Archives that cannot be unpacked: one line with the file and the remedy, and nothing written."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.datasets import archives
from orchestrator.datasets.archives import unpack
from semcom.errors import ConfigurationError, SemcomError, StorageError
from tests.properties import examples

FILES = {"train/cat/0.png": bytes(range(256)) * 8, "words.txt": b"cat\tcat\n", "empty": b""}
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "archives"


def zipped(files: dict[str, bytes] | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (FILES if files is None else files).items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(files: dict[str, bytes] | None = None) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in (FILES if files is None else files).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def edited(archive: bytes, *, flags: int = 0, method: int | None = None) -> bytes:
    """A zip whose headers say something else of every file."""
    content = bytearray(archive)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + at] |= flags
            if method is not None:
                struct.pack_into("<H", content, place + at + 2, method)
            place = content.find(mark, place + 4)
    return bytes(content)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tgz": lambda: gzip.compress(tarred()),
    "tar.bz2": lambda: bz2.compress(tarred()),
    "tar.xz": lambda: lzma.compress(tarred()),
    "tar.lzma": lambda: lzma.compress(tarred(), lzma.FORMAT_ALONE),
}


def refused(tmp_path: Path, content: bytes, name: str = "a.zip") -> str:
    """The one line about an archive that is not unpacked."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as told:
        unpack(path, tmp_path / "out")
    assert sorted(found.name for found in tmp_path.iterdir()) == [name]
    line = str(told.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    return line


@pytest.mark.parametrize("kind", ARCHIVES)
def test_unpacks(tmp_path, kind):
    (tmp_path / "archive").write_bytes(ARCHIVES[kind]())
    unpack(tmp_path / "archive", tmp_path / "out")
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == FILES


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.98])
def test_cut_short_is_told(tmp_path, kind, share):
    whole = ARCHIVES[kind]()
    if kind == "tar" and share > 0.4:
        share = 0.4  # a tar ends with kilobytes of nothing
    line = refused(tmp_path, whole[: int(len(whole) * share)])
    assert "download it again" in line or "name the data set's archive" in line


def test_a_tar_cut_between_two_files_is_told(tmp_path):
    whole = tarred()
    end = 512 + len(FILES["train/cat/0.png"])
    for length in (end, end + 100, end + 512):
        assert "truncated" in refused(tmp_path, whole[:length])


def test_a_wrong_checksum_behind_a_tar_is_told(tmp_path):
    content = bytearray(gzip.compress(tarred()))
    content[-6] ^= 1
    assert "damaged" in refused(tmp_path, bytes(content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: edited(zipped(), flags=1), "is encrypted; unpack it by hand"),
        (lambda: edited(zipped(), method=9), "by the method deflate64, which cannot be read here"),
        (lambda: edited(zipped(), method=99), "by the method AES"),
        (lambda: edited(zipped(), method=77), "by the method number 77"),
        (lambda: b"<html>Sign in</html>", "is a web page, not an archive"),
        (lambda: b"\xef\xbb\xbf\n<!DOCTYPE html>", "is a web page, not an archive"),
        (lambda: b"", "is empty"),
        (lambda: b"no archive", "is not a zip or tar archive"),
        (lambda: gzip.compress(b"x" * 2000), "compressed file that contains no tar archive"),
        (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(100), "is a 7z archive"),
        (lambda: b"Rar!\x1a\x07\1\0" + bytes(100), "is a RAR archive"),
        (lambda: b"\x28\xb5\x2f\xfd" + bytes(100), "is compressed by zstd"),
    ],
)
def test_what_is_no_archive_to_us_is_told_with_the_remedy(tmp_path, content, told):
    assert told in refused(tmp_path, content())


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../out-there", "is a path outside"),
        ("a/../../b", "is a path outside"),
        ("/etc/out-there", "is a path outside"),
        ("n" * 300, "cannot be written"),
        ("empty/x", "cannot be written"),  # below a file
        ("train", "cannot be written"),  # a folder is there
        ("two\nlines/../../../x", "is a path outside"),
    ],
)
def test_wrong_names_are_told(tmp_path, pack, name, told):
    assert told in refused(tmp_path, pack({**FILES, name: b"x"}))
    assert not (tmp_path.parent / "out-there").exists()


def test_folders_as_windows_writes_them_are_folders(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"train\\cat\\0.png": b"x"}))
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "train" / "cat" / "0.png").read_bytes() == b"x"


def test_links_are_told(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "not a regular file" in refused(tmp_path, content.getvalue())
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "not a regular file" in refused(tmp_path, content.getvalue())


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_absurd_sizes_are_told(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2000)
    assert "unpacks to more than" in refused(tmp_path, pack())
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1 << 30)
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "or 2 files" in refused(tmp_path, pack())


def test_a_header_of_gigabytes_is_not_read(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 3 << 30
    content = header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    assert "has a header of" in refused(tmp_path, gzip.compress(content))


@pytest.mark.parametrize("what", ["fifo", "folder", "absent"])
def test_what_is_no_file_is_told_at_once(tmp_path, what):
    path = tmp_path / "a"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    with pytest.raises(ConfigurationError, match=r"^cannot read [^\n]*$"):
        unpack(path, tmp_path / "out")


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped())

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match=r"cannot unpack .*: No space left on device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)


@examples(150)
@given(kind=st.sampled_from(sorted(ARCHIVES)), damage=DAMAGE, keep=st.floats(0, 1))
def test_any_damage_is_unpacked_or_told_in_one_line(tmp_path_factory, kind, damage, keep):
    content = bytearray(ARCHIVES[kind]())
    for place, value in damage:
        content[int(place * len(content))] = value
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "archive"
    path.write_bytes(content if keep > 0.5 else content[: int(2 * keep * len(content))])
    told = None
    try:
        unpack(path, folder / "out")
    except SemcomError as error:
        told = error
    assert told is None or (told.exit_code == 2 and "\n" not in str(told))
    assert (folder / "out").exists() == (told is None)
    assert {found.name for found in folder.iterdir()} <= {"archive", "out"}


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not there: {CASES.name}")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cut.zip", "truncated or damaged"),
        ("deflate64.zip", "deflate64"),
        ("encrypted.zip", "encrypted"),
        ("page.zip", "web page"),
    ],
)
def test_cases(tmp_path, name, told):
    assert told in refused(tmp_path, (CASES / name).read_bytes(), name)
