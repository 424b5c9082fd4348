"""Results of a benchmark: rounds, and the targets with which they are compared.

A round measures both sides, one after the other; its ratios use only these two measurements,
because the speed of a shared machine varies. The median of the rounds counts.
"""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.reports.tables import ReportTable
from semcom.errors import ConfigurationError, StorageError
from semcom.files import read_text, write_atomically
from semcom.machine import processor

MAX_BYTES = 1 << 24

Row = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target for a column of the rounds: a sentence, and the bound of its median."""

    claim: str
    column: str
    bound: float
    at_least: bool = True

    def met(self, median: float) -> bool:
        """Return whether a median meets the target."""
        return median >= self.bound if self.at_least else median <= self.bound


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A benchmark's rounds (rows of equal columns) and their conditions."""

    name: str
    title: str
    rounds: list[Row]
    targets: list[Target] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    rows_are_cases: bool = False  # rows are different cases, not repetitions

    def values(self, column: str) -> list[float]:
        """A column."""
        return [row[column] for row in self.rounds]

    def table(self) -> ReportTable:
        """Return median, minimum and maximum of every column; or the rows, if each is a case."""
        note = "; ".join(f"{name}: {fact}" for name, fact in self.facts.items())
        if self.rows_are_cases:
            head = list(self.rounds[0])
            rows = [[_number(row[name]) for name in head] for row in self.rounds]
            return ReportTable(title=self.title, head=head, rows=rows, note=note)
        head = ["", "median", "min", "max"]
        rows = [
            [name, *(_number(of(self.values(name))) for of in (statistics.median, min, max))]
            for name in self.rounds[0]
        ]
        return ReportTable(title=self.title, head=head, rows=rows, note=note)

    def write(self, folder: Path) -> Path:
        """Write NAME.csv with the rounds and NAME.json with the rest; return the CSV's path.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        path = folder / f"{self.name}.csv"
        about = {**asdict(self), "rounds": len(self.rounds)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(self.rounds[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(
                    {key: f"{value:.6g}" for key, value in row.items()} for row in self.rounds
                )
            write_atomically(
                path.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode()
            )
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        return path


def read_figures(folder: Path) -> list[Figures]:
    """Return every benchmark in a folder, by name.

    Raises:
        ConfigurationError: there is none, or a file was not written by `Figures.write`.
    """
    found = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ConfigurationError(f"{folder} holds no benchmark; run semcom bench run all")
    return found


def target_table(found: list[Figures]) -> ReportTable:
    """Return a row per target: bound, measurement, and whether it is met."""
    rows = []
    for figures in found:
        for target in figures.targets:
            values = figures.values(target.column)
            median = statistics.median(values)
            sign = "≥" if target.at_least else "≤"
            rows.append(
                [
                    target.claim,
                    f"{sign} {_number(target.bound)}",
                    _number(median),
                    f"{_number(min(values))} to {_number(max(values))}",
                    str(len(values)),
                    "met" if target.met(median) else "missed",
                ]
            )
    head = ["target", "required", "median", "min to max", "runs", ""]
    return ReportTable(title="Targets", head=head, rows=rows)


def machine() -> dict[str, str]:
    """Return the machine on which the figures depend, in words."""
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }


def _read(path: Path) -> Figures:
    try:
        about: dict[str, Any] = json.loads(read_text(path, max_bytes=MAX_BYTES))
        file = io.StringIO(read_text(path.with_suffix(".csv"), max_bytes=MAX_BYTES), newline="")
        rounds = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        targets = [Target(**target) for target in about.pop("targets")]
        return Figures(**{**about, "targets": targets, "rounds": rounds})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path} is not a benchmark: {error}") from error


def _number(value: float) -> str:
    """Return a number with three digits, or more if the integer part has more."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
