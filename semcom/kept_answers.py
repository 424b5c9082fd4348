"""Answers as files, which `keep_answers: true` writes to a run's folder.

    answers/LINK/POINT-FRAME.bin     the answers to the items of a frame, as in TaskResult

A file is written before its frame is recorded, so every recorded frame has one. The part of the
answer in the ledger follows from it: `Task.kept`.
"""

from __future__ import annotations

from pathlib import Path

from semcom.errors import StorageError
from semcom.files import write_atomically

FOLDER = "answers"  # in a run's folder


def answer_path(folder: Path, *, link: str, point: int, frame: int) -> Path:
    """Return the path of the answer to a frame, below a folder of answers."""
    return folder / link / f"{point}-{frame}.bin"


def keep_answer(folder: Path, answer: bytes, *, link: str, point: int, frame: int) -> None:
    """Write the answer to a frame, completely or not at all.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    path = answer_path(folder, link=link, point=point, frame=frame)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, answer)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
