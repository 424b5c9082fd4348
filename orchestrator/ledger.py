"""The ledger: every frame exactly once, in SQLite, committed before it is acknowledged.

One file is one run. The key of a frame is (point, link, frame); a second record of a frame must
be equal to the first, or the run is not deterministic and fails.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.scenarios import Plan
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.messages import FrameResult
from semcom.settings import validate

SCHEMA = """
CREATE TABLE IF NOT EXISTS plan (
    id INTEGER PRIMARY KEY CHECK (id = 1), digest TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frames (
    point INTEGER NOT NULL, link TEXT NOT NULL, frame INTEGER NOT NULL,
    images INTEGER NOT NULL, correct INTEGER NOT NULL, predictions BLOB NOT NULL,
    codec TEXT NOT NULL, attempts INTEGER NOT NULL,
    encode_ms REAL NOT NULL, channel_ms REAL NOT NULL, batch_wait_ms REAL NOT NULL,
    decode_ms REAL NOT NULL, round_trip_ms REAL NOT NULL,
    PRIMARY KEY (point, link, frame)) WITHOUT ROWID;
"""
# Made when there is a doubt: old ledgers, and those on read-only media, stay as they are.
DOUBTS = "CREATE TABLE IF NOT EXISTS doubts (text TEXT NOT NULL)"
INSERT = "INSERT INTO frames VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"


@dataclass(frozen=True)
class FrameRow:
    """One recorded frame."""

    point: int
    link: str
    frame: int
    images: int
    correct: int
    predictions: bytes
    codec: str
    attempts: int
    encode_ms: float
    channel_ms: float
    batch_wait_ms: float
    decode_ms: float
    round_trip_ms: float


class Ledger:
    """One run's ledger; opened for a plan, which it then holds for good."""

    def __init__(self, path: Path, plan: Plan | None = None) -> None:
        """Open `path`; with a plan it is created where absent and must be for that plan.

        Raises:
            ConfigurationError: there is none, it was made for another plan, or it holds answers
                in doubt and more are to come.
            StorageError: the disk refuses.
        """
        if plan is None and not path.exists():
            raise ConfigurationError(f"no ledger at {path}")
        with _storage_errors(path):
            self._database = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(SCHEMA)
        self.path = path
        try:
            self.plan = self._hold(plan)
            if plan is not None and self.doubt is not None:
                raise ConfigurationError(
                    f"{path} may hold wrong answers ({self.doubt}); choose another --out"
                )
        except BaseException:
            self._database.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is recorded meanwhile is committed at once, or none of it.

        Raises:
            StorageError: the disk refuses.
        """
        if self._database.in_transaction:
            yield
            return
        with _storage_errors(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it already
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def record(self, link: str, codec: str, results: Sequence[FrameResult]) -> int:
        """Commit finished frames together; returns how many were new.

        Raises:
            AccountingError: a frame that was not planned, or a second, different answer.
            StorageError: the disk refuses; nothing of the batch is recorded then.
        """
        new = 0
        with self.transaction():
            for result in results:
                self._check_planned(link, codec, result)
                before = self._database.execute(
                    "SELECT predictions FROM frames WHERE point=? AND link=? AND frame=?",
                    (result.point, link, result.frame),
                ).fetchone()
                if before is None:
                    self._database.execute(INSERT, _values(link, codec, result))
                    new += 1
                elif before[0] != result.predictions:
                    raise AccountingError(
                        f"frame {result.frame} of point {result.point} on link {link} was "
                        f"answered in two ways: the run is not deterministic"
                    )
        return new

    def recorded_frames(self) -> dict[tuple[int, str], set[int]]:
        """Frames that are there, by (point, link)."""
        found: dict[tuple[int, str], set[int]] = defaultdict(set)
        with _storage_errors(self.path):
            rows = self._database.execute("SELECT point, link, frame FROM frames")
            for point, link, frame in rows:
                found[point, link].add(frame)
        return found

    def totals(self, link: str, point: int) -> tuple[int, int]:
        """Images recorded of a link's point, and how many were answered rightly."""
        images, correct = self._database.execute(
            "SELECT TOTAL(images), TOTAL(correct) FROM frames WHERE point=? AND link=?",
            (point, link),
        ).fetchone()
        return int(images), int(correct)

    def rows(self) -> Iterator[FrameRow]:
        """All frames in the order (point, link, frame)."""
        cursor = self._database.execute("SELECT * FROM frames ORDER BY point, link, frame")
        for row in cursor:
            yield FrameRow(*row)

    def results_digest(self) -> str:
        """SHA-256 over every answer, in the order (point, link, frame).

        Equal digests mean equal predictions for every image; durations do not count.
        """
        digest = hashlib.sha256()
        for row in self.rows():
            digest.update(f"{row.point}/{row.link}/{row.frame}/{row.codec}/".encode())
            digest.update(row.predictions)
        return digest.hexdigest()

    @property
    def doubt(self) -> str | None:
        """Why some of the answers may not be the plan's; None if nobody doubts them."""
        known = "SELECT 1 FROM sqlite_master WHERE name = 'doubts'"
        if self._database.execute(known).fetchone() is None:
            return None
        row = self._database.execute("SELECT text FROM doubts LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def cast_doubt(self, text: str) -> None:
        """From now on the run can be neither resumed nor read.

        Raises:
            StorageError: the disk refuses.
        """
        with _storage_errors(self.path):
            self._database.execute(DOUBTS)
            self._database.execute("INSERT INTO doubts VALUES (?)", (text,))

    def close(self) -> None:
        """Close the file; the write-ahead log is merged into it."""
        self._database.close()

    def _hold(self, plan: Plan | None) -> Plan:
        row = self._database.execute("SELECT digest, content FROM plan").fetchone()
        if row is None:
            if plan is None:
                raise ConfigurationError(f"{self.path} is not a ledger: it holds no plan")
            with _storage_errors(self.path):
                self._database.execute(
                    "INSERT INTO plan VALUES (1,?,?)", (plan.digest, plan.model_dump_json())
                )
            return plan
        held = validate(Plan, json.loads(row[1]), where=str(self.path))
        if held.digest != row[0]:
            raise AccountingError(f"{self.path}: the plan was altered after the run was made")
        if plan is not None and plan.digest != held.digest:
            raise ConfigurationError(
                f"{self.path} belongs to another plan (scenario, data set or codec changed); "
                f"resume with the old ones, or choose another --out"
            )
        return held

    def _check_planned(self, link: str, codec: str, result: FrameResult) -> None:
        plan = self.plan
        known = link in plan.links and result.point < len(plan.points)
        if not known or plan.points[result.point].variant >= len(plan.links[link].codecs):
            raise AccountingError(f"point {result.point} of link {link} was never planned")
        if result.frame >= plan.frames(link):
            raise AccountingError(f"frame {result.frame} of link {link} was never planned")
        if codec != plan.codec_at(link, result.point).digest:
            raise AccountingError(f"link {link} used another codec than planned")
        images = plan.frame_size(link, result.frame)
        if (
            result.images != images
            or len(result.predictions) != 2 * images
            or result.correct > images
        ):
            raise AccountingError(f"frame {result.frame} of link {link} has wrong totals")


def _values(link: str, codec: str, result: FrameResult) -> tuple[object, ...]:
    return (
        result.point, link, result.frame, result.images, result.correct, result.predictions,
        codec, result.attempts, result.encode_ms, result.channel_ms, result.batch_wait_ms,
        result.decode_ms, result.round_trip_ms,
    )  # fmt: skip


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageError(f"ledger {path}: {error}; free the disk and resume") from error
