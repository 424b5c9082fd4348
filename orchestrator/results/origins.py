"""Who computed the answers of a ledger, and how they round: two small tables of it.

Both are made when there is something to put into them; ledgers of earlier versions have none.
Their content is format 1 of `semcom.fingerprint.Origin`.
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
ALTERED = "who computed its answers was altered: run again"


@dataclass(frozen=True, order=True)
class Computed:
    """Frames `first` to `stop` - 1 of a link at a point."""

    link: str
    point: int
    first: int
    stop: int


class Origins:
    """The tables of one open ledger; what is added is part of the ledger's transaction."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    def all(self) -> dict[int, Origin]:
        """Return who computed answers, by number.

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
        """Return which frames each of them computed, in order.

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
        """Note who computes, and what was computed; return their number.

        Raises:
            StorageError: the disk refuses.
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
        """Return all that the tables hold, for a digest; nothing where there are none."""
        with storage_errors(self._path):
            origins = small_table(self._database, "origins", "number, content")
            computed = small_table(self._database, "computed", SPAN_COLUMNS)
        return [sorted(origins, key=repr), sorted(computed, key=repr)] if origins else []


def stated_origins(origins: Origins, plan: Plan) -> dict[str, Any]:
    """Return what a manifest says of them; nothing where nobody is known.

    `computed_by` names hosts with the frames that they computed: of a link with a codec, from
    `first` to `stop` - 1, at so many points. Of a sweep it names its processes: frames do not say
    which receiver answered them. `fingerprints` holds how they round, by digest.
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
    """Return a line that tells two hosts apart, before a near tie does."""
    return (
        f"{one.words} does not round as {other.words} did ({differing}): an answer between two "
        f"classes may differ, so take hosts that are alike"
    )


def _together(spans: list[Computed], plan: Plan) -> list[dict[str, Any]]:
    """Return spans whose frames are the same, as one with the number of their points."""
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
        raise AccountingError(f"the ledger's table of who computed holds {value!r}: {ALTERED}")
    return value
