"""Readers wait for nothing and hold no more than they may, whatever lies at a path."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.files import READ_PIECE_BYTES, open_regular, read_file, read_text
from tests.properties import examples

KINDS = ("FIFO", "socket", "folder", "device", "link to a FIFO")


def special(folder: Path, kind: str) -> Path:
    """Something at a path that is not a regular file."""
    path = folder / "it"
    match kind:
        case "FIFO":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)  # from its folder: the name of a socket must be short
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            os.mkfifo(folder / "fifo")
            path.symlink_to("fifo")
    return path


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", [open_regular, lambda path: read_file(path, max_bytes=10)])
def test_what_is_no_regular_file_is_refused_at_once(kind, read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = special(tmp_path, kind)
    with pytest.raises(OSError, match="not a regular file") as caught:
        read(path)
    assert kind.rpartition(" ")[2] in str(caught.value.strerror)
    assert caught.value.filename == str(path)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_became_a_fifo_before_it_was_opened_is_refused(tmp_path, monkeypatch):
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.touch()
    os.mkfifo(fifo)
    looked_at = file.stat()
    monkeypatch.setattr(Path, "stat", lambda _: looked_at)
    before = open_files()
    with pytest.raises(OSError, match="a FIFO, not a regular file"):
        open_regular(fifo)
    assert open_files() == before


@examples(50)
@given(
    size=st.integers(0, 40) | st.integers(READ_PIECE_BYTES - 2, READ_PIECE_BYTES + 2),
    limit=st.integers(0, 40) | st.integers(READ_PIECE_BYTES - 2, READ_PIECE_BYTES + 2),
)
def test_file_is_read_whole_or_refused_as_too_large(size, limit, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "sized"
    path.write_bytes(bytes(size))
    if size <= limit:
        assert read_file(path, max_bytes=limit) == bytes(size)
    else:
        with pytest.raises(OSError, match=f"larger than {limit} bytes"):
            read_file(path, max_bytes=limit)


def test_file_whose_size_says_nothing_is_read_and_bounded():
    assert Path("/proc/self/maps").stat().st_size == 0
    assert b"python" in read_file(Path("/proc/self/maps"), max_bytes=1 << 24)
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_file(Path("/proc/self/maps"), max_bytes=100)


def test_large_file_takes_no_memory(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="larger than"):
            read_file(path, max_bytes=1 << 30)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_missing_file_and_bad_name_are_errors_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none", max_bytes=10)
    with pytest.raises(OSError, match="zero byte"):
        read_file(Path(f"{tmp_path}/a\0b"), max_bytes=10)


def test_text_that_is_not_utf8_names_its_line(tmp_path):
    path = tmp_path / "text"
    path.write_text("für\nalle\n", encoding="utf-8")
    assert read_text(path, max_bytes=100) == "für\nalle\n"
    path.write_bytes("one\nfür\n".encode("latin-1"))
    with pytest.raises(OSError, match="not UTF-8: byte 0xfc in line 2"):
        read_text(path, max_bytes=100)


def test_descriptor_is_not_handed_to_children(tmp_path):
    (tmp_path / "file").touch()
    descriptor = open_regular(tmp_path / "file")
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)
