"""The hosts that computed the answers of a ledger, and their rounding, in two small tables.

Both are created when first needed; ledgers of older versions do not have them. Their content is
format 1 of `semcom.fingerprint.Origin`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.plan.plan import Plan
from orchestrator.results.frame_rows import is_planned
from orchestrator.results.ledger_file import storage_errors
from orchestrator.results.ledger_plan import small_table
from semcom.errors import AccountingError
from semcom.fingerprint import Fingerprint, Origin

ORIGINS = "CREATE TABLE IF NOT EXISTS origins (number INTEGER PRIMARY KEY, content TEXT NOT NULL)"
COMPUTED = """CREATE TABLE IF NOT EXISTS computed (origin INTEGER NOT NULL, link TEXT NOT NULL,
    point INTEGER NOT NULL, first INTEGER NOT NULL, stop INTEGER NOT NULL)"""
SPAN_COLUMNS = "origin, link, point, first, stop"
ALTERED = "the record of its hosts was altered: run again"


@dataclass(frozen=True, order=True)
class Computed:
    """Frames `first` to `stop` - 1 of a link at a point."""

    link: str
    point: int
    first: int
    stop: int


class Origins:
    """The tables of an open ledger; additions are part of the ledger's transaction."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    def all(self) -> dict[int, Origin]:
        """Return the hosts that computed answers, by number.

        Raises:
            AccountingError: it cannot be read.
            StorageError: the file is damaged.
        """
        with storage_errors(self._path):
            rows = small_table(self._database, "origins", "number, content")
        try:
            return {_number(number): Origin.model_validate_json(str(text)) for number, text in rows}
        except ValidationError as error:
            raise AccountingError(f"{self._path}: {ALTERED}") from error

    def computed(self) -> dict[int, list[Computed]]:
        """Return the frames that each host computed, in order.

        Raises:
            AccountingError: it cannot be read.
            StorageError: the file is damaged.
        """
        found: dict[int, list[Computed]] = defaultdict(list)
        with storage_errors(self._path):
            rows = small_table(self._database, "computed", SPAN_COLUMNS)
        for origin, link, point, first, stop in rows:
            if type(link) is not str:
                raise AccountingError(f"{self._path}: {ALTERED}")
            span = Computed(link, _number(point), _number(first), _number(stop))
            found[_number(origin)].append(span)
        return {origin: sorted(spans) for origin, spans in sorted(found.items())}

    def add(self, origin: Origin, spans: Iterable[Computed] = ()) -> int:
        """Record a host and the frames that it computed; return its number.

        Raises:
            StorageError: the disk cannot be written.
        """
        known = self.all()
        with storage_errors(self._path):
            self._database.execute(ORIGINS)
            self._database.execute(COMPUTED)
            number = next((each for each, held in known.items() if held == origin), 0)
            if not number:
                number = max(known, default=0) + 1
                values = (number, origin.stored())
                self._database.execute("INSERT INTO origins VALUES (?,?)", values)
            for span in spans:
                row = (number, span.link, span.point, span.first, span.stop)
                self._database.execute("INSERT INTO computed VALUES (?,?,?,?,?)", row)
        return number

    def as_held(self) -> list[object]:
        """Return the whole content of the tables for a digest; nothing if there are none."""
        with storage_errors(self._path):
            origins = small_table(self._database, "origins", "number, content")
            computed = small_table(self._database, "computed", SPAN_COLUMNS)
        return [sorted(origins, key=repr), sorted(computed, key=repr)] if origins else []


def stated_origins(origins: Origins, plan: Plan) -> dict[str, Any]:
    """Return the hosts as stated in a manifest; nothing if none is known.

    `computed_by` lists hosts with the frames that they computed: for a link with a codec, `first`
    to `stop` - 1 at a number of points. For a sweep it lists the processes, because frames do not
    state which receiver answered them. `fingerprints` describes their rounding, by digest.
    """
    held, computed = origins.all(), origins.computed()
    if not held:
        return {}
    fingerprints: dict[str, Fingerprint] = {}
    stated: list[dict[str, Any]] = []
    for number, origin in held.items():
        digest = origin.fingerprint.digest
        fingerprints[digest] = origin.fingerprint
        spans = computed.get(number, [])
        of_spans = {
            "frames": sum(span.stop - span.first for span in spans),
            "spans": _together(spans, plan),
        }
        stated.append(
            {
                **({} if origin.part is None else {"part": origin.part}),
                **({} if origin.process is None else {"process": origin.process}),
                "host": origin.host,
                "processor": origin.processor,
                "fingerprint": digest,
                **({} if origin.process is not None else of_spans),
            }
        )
    return {
        "computed_by": stated,
        "fingerprints": {name: each.model_dump() for name, each in fingerprints.items()},
    }


def rounds_otherwise(one: Origin, other: Origin, differing: str) -> str:
    """Return a line that says how the rounding of two hosts differs."""
    return (
        f"{one.words} does not round as {other.words} did ({differing}): an answer close to "
        "two classes may differ, so use hosts of the same kind"
    )


def _together(spans: list[Computed], plan: Plan) -> list[dict[str, Any]]:
    """Merge spans with the same frames into one with the number of their points."""
    points: dict[tuple[str, str, int, int], int] = defaultdict(int)
    for span in spans:
        if not is_planned(plan, span.link, span.point, span.first):
            raise AccountingError(f"frames were computed that were never planned: {ALTERED}")
        codec = plan.codec_at(span.link, span.point).name
        points[span.link, codec, span.first, span.stop] += 1
    return [
        {"link": link, "codec": codec, "first": first, "stop": stop, "points": count}
        for (link, codec, first, stop), count in points.items()
    ]


def _number(value: object) -> int:
    if type(value) is not int:
        raise AccountingError(f"the ledger's table of hosts contains {value!r}: {ALTERED}")
    return value
