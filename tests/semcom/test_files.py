"""Files are whole or absent, whoever writes them at once."""

from __future__ import annotations

import os
import threading

import pytest

from semcom.errors import StorageError
from semcom.files import is_there, may_write, write_atomically


def test_two_writers_of_one_file_never_mix_and_leave_nothing(tmp_path):
    path, errors = tmp_path / "f", []
    contents = [bytes([letter]) * 20_000 for letter in b"abcd"]

    def write(content: bytes) -> None:
        try:
            for _ in range(25):
                write_atomically(path, content)
                assert path.read_bytes() in contents
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "kept").touch()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "f", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("name", ["f" * 255, "ä" * 127])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_atomically(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content"


def test_others_may_read_what_was_written_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "f", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644


def test_a_name_that_no_file_can_have_is_one_line(tmp_path):
    assert not is_there(tmp_path / "absent")
    with pytest.raises(StorageError, match="cannot look at"):
        is_there(tmp_path / ("f" * 300))


def test_what_may_be_written_is_told(tmp_path):
    assert may_write(tmp_path)
    assert not may_write(tmp_path / "absent")
