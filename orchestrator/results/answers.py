"""Kept answers of a run, checked against its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import open_ledger
from semcom.errors import AccountingError, ConfigurationError, ProtocolError, StorageError
from semcom.files import is_there, read_file
from semcom.kept_answers import FOLDER, answer_path
from semcom.tasks.task import Task
from semcom.wire import MAX_PAYLOAD_BYTES


class KeptAnswers:
    """The folder of answers of a run; if there is none, nothing was kept."""

    def __init__(self, run: Path, tasks: Mapping[str, Task]) -> None:
        self._folder = run / FOLDER
        self._tasks = tasks
        self.there = is_there(self._folder)

    def read(self, row: FrameRow) -> bytes:
        """Return the kept answer to a frame.

        Raises:
            AccountingError: it is missing, or differs from the recorded one.
            StorageError: it cannot be read.
        """
        path = answer_path(self._folder, link=row.link, point=row.point, frame=row.frame)
        try:
            answer = read_file(path, max_bytes=MAX_PAYLOAD_BYTES)
        except FileNotFoundError:
            raise AccountingError(
                f"{row}: its answer was kept, but {path} does not exist"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        if self._task(row).kept(answer) != row.answer:
            raise AccountingError(
                f"{row}: {path} holds an answer that differs from the recorded one"
            )
        return answer

    def parse(self, row: FrameRow) -> npt.NDArray[Any]:
        """Return the kept answers to the items of a frame, in the task's form.

        Raises:
            AccountingError: they are not answers of the task.
        """
        try:
            return self._task(row).form.parse(self.read(row), row.images)
        except ProtocolError as error:
            raise AccountingError(f"{row}: its kept answer {error.detail}") from error

    def _task(self, row: FrameRow) -> Task:
        task = self._tasks.get(row.codec)
        if task is None:
            raise AccountingError(f"{row}: the ledger does not name the task of its codec")
        return task


def kept_nothing(run: Path) -> ConfigurationError:
    """Return the error text for a run without kept answers."""
    return ConfigurationError(
        f"{run} kept no answers: set keep_answers: true in its scenario and run it again"
    )


def read_answers(run: Path, *, link: str, point: int) -> npt.NDArray[Any]:
    """Return the kept answers to all items of a point, in the order in which they were sent.

    Raises:
        ConfigurationError: the run kept none, has no such link or point, or the point is
            incomplete.
        AccountingError: a file holds an answer that differs from the recorded one.
        StorageError: the ledger or a file cannot be read.
    """
    with open_ledger(run) as ledger:
        kept = KeptAnswers(run, ledger.tasks)
        if not kept.there:
            raise kept_nothing(run)
        rows = [row for row in ledger.rows() if (row.link, row.point) == (link, point)]
        planned = ledger.plan.frames(link) if link in ledger.plan.links else 0
        if not rows or len(rows) != planned:
            raise ConfigurationError(
                f"{run} has {len(rows)} of {planned} frames of point {point} of link {link}"
            )
        return np.concatenate([kept.parse(row) for row in sorted(rows, key=lambda r: r.frame)])
