"""The layout of frames in a ledger's table: one for classification and one for any task.

A ledger whose codecs all classify has the columns `correct` and `predictions`, so that all versions
can read and continue each other's ledgers. Any other has `score` (JSON of the task's sums) and
`answer` (the kept part of it). The layout is chosen when the table is created.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.frame_rows import FrameRow, check_types
from semcom.errors import AccountingError
from semcom.tasks.classification import CORRECT
from semcom.tasks.score import ITEMS

KEY = "point INTEGER NOT NULL, link TEXT NOT NULL, frame INTEGER NOT NULL"
DURATIONS = "encode_ms", "channel_ms", "batch_wait_ms", "decode_ms", "round_trip_ms"
MAX_SCORE = 4096  # characters of a score


@dataclass(frozen=True)
class FrameTable:
    """One layout: names and types of the columns for score and answer."""

    score: str
    score_type: str
    answer: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns in order: those of a `FrameRow`, but for score and answer."""
        return (
            "point", "link", "frame", "images", self.score, self.answer, "codec", "attempts",
            *DURATIONS,
        )  # fmt: skip

    @property
    def create(self) -> str:
        """Return the statement that creates the table."""
        durations = ", ".join(f"{name} REAL NOT NULL" for name in DURATIONS)
        return (
            f"CREATE TABLE IF NOT EXISTS frames ({KEY}, images INTEGER NOT NULL, "
            f"{self.score} {self.score_type} NOT NULL, {self.answer} BLOB NOT NULL, "
            f"codec TEXT NOT NULL, attempts INTEGER NOT NULL, {durations}, "
            f"PRIMARY KEY (point, link, frame)) WITHOUT ROWID"
        )

    @property
    def insert(self) -> str:
        """Return the statement that adds a frame."""
        return f"INSERT INTO frames VALUES ({','.join('?' * len(self.columns))})"

    @property
    def select(self) -> str:
        """Return the statement that reads frames."""
        return f"SELECT {', '.join(self.columns)} FROM frames"

    def values(self, row: FrameRow) -> list[object]:
        """Return a frame as the values of its columns."""
        score = row.score[CORRECT] if self is CLASSIFIED else _text(row.score)
        return [
            row.point, row.link, row.frame, row.images, score, row.answer, row.codec,
            row.attempts, *row.durations_ms,
        ]  # fmt: skip

    def find(self, database: sqlite3.Connection, key: tuple[int, str, int]) -> FrameRow | None:
        """Return the frame of a key (point, link, frame), if it is recorded.

        Raises:
            AccountingError: a value is not of its column's type.
        """
        query = f"{self.select} WHERE point=? AND link=? AND frame=?"
        values = database.execute(query, key).fetchone()
        return None if values is None else self.row(values)

    def row(self, values: Iterable[object]) -> FrameRow:
        """Return a frame from the values of a database row.

        Raises:
            AccountingError: a value is not of its column's type.
        """
        given = list(values)
        place = self.columns.index(self.score)
        check_types(self.columns, given)
        if self is CLASSIFIED:
            given[place] = {ITEMS: given[place - 1], CORRECT: given[place]}
        else:
            given[place] = _score(str(given[place]), given)
        return FrameRow(*given)  # type: ignore[arg-type]


CLASSIFIED = FrameTable(score="correct", score_type="INTEGER", answer="predictions")
SCORED = FrameTable(score="score", score_type="TEXT", answer="answer")


def table_of(database: sqlite3.Connection, path: Path, *, classifies: bool) -> FrameTable:
    """Return the layout of a ledger; one without frames gets the layout for its codecs.

    Raises:
        AccountingError: its table has other columns.
    """
    found = tuple(str(each[1]) for each in database.execute("PRAGMA table_info(frames)"))
    if not found:
        return CLASSIFIED if classifies else SCORED
    for layout in (CLASSIFIED, SCORED):
        if found == layout.columns:
            return layout
    raise AccountingError(
        f"{path}: its table of frames does not have the columns of a ledger: it was altered"
    )


def _text(score: object) -> str:
    return json.dumps(score, sort_keys=True, separators=(",", ":"))


def _score(text: str, given: list[object]) -> dict[str, int]:
    try:
        score = json.loads(text) if len(text) <= MAX_SCORE else None
    except (ValueError, RecursionError):
        score = None
    if not isinstance(score, dict) or any(type(each) is not int for each in score.values()):
        raise AccountingError(
            f"frame {given[2]} of point {given[0]} on link {given[1]} has a score that cannot be "
            f"read: the ledger was altered, run again"
        )
    return score
