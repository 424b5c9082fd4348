"""The ledger: every frame exactly once, in SQLite, committed before it is acknowledged.

There is one file per run. The key of a frame is (point, link, frame); a second record of a frame
must equal the first, otherwise the run is not deterministic and fails. A complete run seals its
ledger: digests over its whole content are stored in it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

from orchestrator.plan.plan import Plan
from orchestrator.results.frame_rows import ANY_CLASSES, FrameRow, objection
from orchestrator.results.frame_table import table_of
from orchestrator.results.ledger_file import (
    Opened,
    close_for_readers,
    open_to_read,
    open_to_write,
    place_of,
    storage_errors,
)
from orchestrator.results.ledger_plan import check_tables, hold_plan, hold_tasks, small_table
from orchestrator.results.origins import Origins
from semcom.errors import AccountingError, ConfigurationError, StorageError, one_line
from semcom.files import is_there
from semcom.messages import FrameResult
from semcom.tasks.classification import Classification
from semcom.tasks.score import Score, merged
from semcom.tasks.task import Task

PLAN = """CREATE TABLE IF NOT EXISTS plan (
    id INTEGER PRIMARY KEY CHECK (id = 1), digest TEXT NOT NULL, content TEXT NOT NULL)"""
# These tables are created when they are first needed; older ledgers do not have them.
DOUBTS = "CREATE TABLE IF NOT EXISTS doubts (text TEXT NOT NULL)"
SEALS = "CREATE TABLE IF NOT EXISTS seals (name TEXT PRIMARY KEY, digest TEXT NOT NULL)"

OUT_OF_PLACE = (
    "was deleted, moved or replaced during its run; its content may be lost: run "
    "again into another --out"
)


class TwoAnswersError(AccountingError):
    """A frame was recorded with two different answers or scores; `row` is the later one."""

    def __init__(self, text: str, row: FrameRow) -> None:
        super().__init__(text)
        self.row = row


class Ledger:
    """The ledger of a run, opened for a plan, which it stores permanently, or only for reading."""

    def __init__(
        self, path: Path, plan: Plan | None = None, *, tasks: Mapping[str, Task] | None = None
    ) -> None:
        """Open `path`; with a plan, it is created if absent and must be for that plan.

        Args:
            path: the file.
            plan: plan of the run; without it, nothing can be recorded.
            tasks: tasks of the codecs by their digests.

        Raises:
            AccountingError: its plan or its tasks were altered.
            ConfigurationError: it does not exist, is for another plan, or is to be continued
                although it holds doubtful answers.
            StorageError: the file is damaged, or the disk cannot be written.
        """
        self.path = path
        self._writes = plan is not None
        self._opened = _open(path, writes=self._writes)
        self._database = self._opened.database
        try:
            with storage_errors(path):
                if self._writes:
                    self._database.execute(PLAN)
                check_tables(self._database, path)
                self.plan = hold_plan(self._database, path, plan)
                self.plan_text = small_table(self._database, "plan", "digest, content")
                new = {} if self.seals else tasks or {}  # what is sealed stays as it is
                self.tasks = hold_tasks(self._database, path, new)
                classifies = all(isinstance(each, Classification) for each in self.tasks.values())
                self._table = table_of(self._database, path, classifies=classifies)
                if self._writes:
                    self._database.execute(self._table.create)
            if self._writes and self.doubt is not None:
                raise ConfigurationError(
                    f"{path} may hold wrong answers ({self.doubt}); choose another --out"
                )
        except BaseException:
            self._opened.close()
            raise
        self.origins = Origins(self._database, path)
        self.place = place_of(path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that is recorded inside the block at once, or nothing.

        Raises:
            StorageError: the disk cannot be written, or the ledger was moved.
        """
        if self._database.in_transaction:
            yield
            return
        with storage_errors(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.check_place()
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it already
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        self.check_place()  # before anybody is told that it is stored

    def check_place(self) -> None:
        """Check that the open file is still the one at its path.

        Raises:
            StorageError: it was deleted, moved or replaced.
        """
        if not self._in_place():
            raise StorageError(f"{self.path.parent} {OUT_OF_PLACE}")

    def record(self, link: str, codec: str, results: Sequence[FrameResult]) -> int:
        """Commit finished frames of a link together; see `record_rows`."""
        return self.record_rows(_row(link, codec, result) for result in results)

    def record_rows(self, rows: Iterable[FrameRow]) -> int:
        """Commit frames together; returns how many were new.

        Raises:
            AccountingError: a frame was not planned.
            TwoAnswersError: a frame differs from its first record.
            StorageError: the disk cannot be written; nothing of the batch is recorded then.
        """
        new = 0
        with self.transaction():
            for row in rows:
                if wrong := objection(self.plan, row, self.tasks):
                    raise AccountingError(f"{row} {wrong}")
                before = self._table.find(self._database, row.key)
                if before is None:
                    self._database.execute(self._table.insert, self._table.values(row))
                    new += 1
                else:
                    _check_equal(before, row)
        return new

    def recorded_frames(self) -> dict[tuple[int, str], set[int]]:
        """Return the recorded frames, by (point, link)."""
        found: dict[tuple[int, str], set[int]] = defaultdict(set)
        with storage_errors(self.path):
            rows = self._database.execute("SELECT point, link, frame FROM frames")
            for point, link, frame in rows:
                found[point, link].add(frame)
        return found

    def task(self, codec: str) -> Task:
        """Return the task of a codec by its digest; without tasks, a ledger is for classes."""
        return self.tasks.get(codec, ANY_CLASSES)

    def score(self, link: str, point: int) -> Score:
        """Return the sums over all recorded frames of a link's point."""
        with storage_errors(self.path):
            found = self._database.execute(
                f"{self._table.select} WHERE point=? AND link=?", (point, link)
            )
            scores = [self._table.row(values).score for values in found]
        return reduce(merged, scores) if scores else {}

    def rows(self) -> Iterator[FrameRow]:
        """Return all frames in the order (point, link, frame), each once and as planned.

        Raises:
            AccountingError: one was altered, is duplicated, or was never planned.
            StorageError: the file is damaged.
        """
        before: tuple[int, str, int] | None = None
        with storage_errors(self.path):
            query = f"{self._table.select} ORDER BY point, link, frame"
            for values in self._database.execute(query):
                row = self._table.row(values)
                if wrong := objection(self.plan, row, self.tasks):
                    raise AccountingError(f"{row} {wrong}: the ledger was altered, run again")
                if before is not None and row.key <= before:
                    raise AccountingError(f"{row} is recorded twice: the ledger was altered")
                before = row.key
                yield row

    def results_digest(self) -> str:
        """Return the SHA-256 over every answer, in the order (point, link, frame).

        Equal digests mean equal answers to every item; durations are not included.
        """
        digest = hashlib.sha256()
        for row in self.rows():
            digest.update(row.named_answer)
        return digest.hexdigest()

    @property
    def seals(self) -> dict[str, str]:
        """Return the digests stored when the run was complete; older ledgers have none."""
        with storage_errors(self.path):
            found = small_table(self._database, "seals", "name, digest")
        return {str(name): str(digest) for name, digest in found}

    def write_seals(self, seals: Mapping[str, str]) -> None:
        """Replace the seals.

        Raises:
            StorageError: the disk cannot be written.
        """
        with self.transaction():
            self._database.execute(SEALS)
            insert = "INSERT OR REPLACE INTO seals VALUES (?,?)"
            self._database.executemany(insert, seals.items())

    @property
    def doubt(self) -> str | None:
        """Return why some of the answers may be wrong; None if there is no doubt."""
        with storage_errors(self.path):
            row = next(iter(small_table(self._database, "doubts", "text")), None)
        return None if row is None else one_line(str(row[0]))

    def cast_doubt(self, text: str) -> None:
        """Mark the answers as doubtful: the run can then be neither resumed nor read.

        Raises:
            StorageError: the disk cannot be written.
        """
        with storage_errors(self.path):
            self._database.execute(DOUBTS)
            self._database.execute("INSERT INTO doubts VALUES (?)", (text,))

    def close(self) -> None:
        """Close the file; a written one can then be read from read-only media, too."""
        # SQLite removes the log by its name, even if that is now another run's.
        if self._writes and self._in_place():
            close_for_readers(self._database)
        self._opened.close()
        self.place = {file: found for file, found in self.place.items() if file == self.path}

    def _in_place(self) -> bool:
        now = place_of(self.path)
        return all(now.get(file) == found for file, found in self.place.items())


def _open(path: Path, *, writes: bool) -> Opened:
    if not writes and not is_there(path):
        raise ConfigurationError(f"no ledger at {path}")
    if is_there(path) and not path.is_file():
        raise StorageError(f"ledger {path} is not a regular file: remove it")
    with storage_errors(path):
        return open_to_write(path) if writes else open_to_read(path)


def _check_equal(before: FrameRow, row: FrameRow) -> None:
    if (before.answer, before.score) != (row.answer, row.score):
        how = "judged" if before.answer == row.answer else "answered"
        text = f"{row} was {how} in two ways: the run is not deterministic"
        raise TwoAnswersError(text, row)


def _row(link: str, codec: str, result: FrameResult) -> FrameRow:
    return FrameRow(
        result.point, link, result.frame, result.images, result.score, result.answer,
        codec, result.attempts, result.encode_ms, result.channel_ms, result.batch_wait_ms,
        result.decode_ms, result.round_trip_ms,
    )  # fmt: skip
