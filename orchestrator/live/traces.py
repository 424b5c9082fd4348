"""Read a trace of SNR over time: a CSV file of `seconds,snr_db`.

Unambiguous deviations are accepted and noted: a byte order mark, Windows line ends, `;` or a tab
between the columns, Unix times. Anything else is refused with its row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semcom import yaml_text
from semcom.errors import ConfigurationError
from semcom.files import read_file
from semcom.points import SNR_MAX_DB, SNR_MIN_DB
from semcom.type_words import quoted

MAX_TRACE_BYTES = 16 << 20
SECONDS_MAX = 1e7  # of a trace
UNIX_S = (1e8, 1e10)  # range of Unix times: from 1973 to 2286
HEADER = ["seconds", "snr_db"]
COLUMNS = "seconds,snr_db"
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class TraceData:
    """Times in seconds, ascending from 0, and SNRs in dB; the last time is the length.

    `notes` lists accepted deviations.
    """

    times_s: tuple[float, ...]
    snrs_db: tuple[float, ...]
    notes: tuple[str, ...]


@lru_cache(maxsize=256)  # as many as links may have
def read_trace(path: Path) -> TraceData:
    """Return the content of a trace, whose first row may be a header.

    Raises:
        ConfigurationError: it is missing, not readable, or not a trace; with the row.
    """
    try:
        text = yaml_text.decode(read_file(path, max_bytes=MAX_TRACE_BYTES))
    except yaml_text.YamlError as error:
        raise ConfigurationError(f"trace {path}, {error}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read trace {path}: {error.strerror}") from error
    if "\0" in text:
        raise ConfigurationError(f"trace {path} is not text: it contains zero bytes")
    try:
        return _parsed(text)
    except ValueError as error:
        raise ConfigurationError(f"trace {path}, {error}") from error


def _parsed(text: str) -> TraceData:
    """Parse a trace; raise ValueError with the row and the reason."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    separator = _separator(lines[0][1]) if lines else ","
    notes = [] if separator == "," else [f"columns are separated by {SEPARATORS[separator]}"]
    rows = [(number, _columns(number, line, separator)) for number, line in lines]
    if rows and not any(NUMBER.fullmatch(column) for column in rows[0][1]):
        if [name.lower() for name in rows[0][1]] != HEADER:
            number, names = rows[0]
            raise ValueError(f"row {number}: {quoted(','.join(names))} is not {COLUMNS}")
        rows = rows[1:]
    if not rows:
        raise ValueError(f"row 1: no values; each row is {COLUMNS}")
    values = [_values(number, columns) for number, columns in rows]
    times_s = [at_s for at_s, _ in values]
    first_s = times_s[0]
    if UNIX_S[0] <= first_s <= UNIX_S[1]:
        notes.append(f"times count from 1970; the first, {first_s:.10g}, is taken as 0")
        times_s = [at_s - first_s for at_s in times_s]
    _check_times(times_s, [number for number, _ in rows])
    return TraceData(tuple(times_s), tuple(snr_db for _, snr_db in values), tuple(notes))


def _separator(line: str) -> str:
    """Return the column separator: the first of the three that is not part of a number."""
    return next((each for each in (";", "\t") if each in line), ",")


def _columns(number: int, line: str, separator: str) -> list[str]:
    try:
        columns = next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration) as error:
        raise ValueError(f"row {number}: {quoted(line)} is not {COLUMNS}: {error}") from error
    if len(columns) != 2:
        what = f"{len(columns)} column{'s' * (len(columns) != 1)}, not 2"
        raise ValueError(f"row {number}: {quoted(line)} has {what}; each row is {COLUMNS}")
    return [column.strip() for column in columns]


def _values(number: int, columns: list[str]) -> tuple[float, float]:
    """Return a row's time and SNR."""
    at_s, snr_db = (_number(number, *each) for each in zip(HEADER, columns, strict=True))
    if not SNR_MIN_DB <= snr_db <= SNR_MAX_DB:
        bounds = f"{SNR_MIN_DB:g} to {SNR_MAX_DB:g} dB"
        raise ValueError(f"row {number}: snr_db {quoted(snr_db)} is not within {bounds}")
    return at_s, snr_db


def _number(row: int, name: str, text: str) -> float:
    if NUMBER.fullmatch(text) is None:
        hint = ""
        if DECIMAL_COMMA.fullmatch(text):
            hint = "; write a point in place of the comma"
        elif name == HEADER[0] and re.match(r"\d+[-:/]\d+", text):
            hint = "; times are seconds, not dates"
        raise ValueError(f"row {row}: {name} must be a number, got {quoted(text)}{hint}")
    return float(text)


def _check_times(times_s: list[float], rows: list[int]) -> None:
    """Check that times ascend from 0 within bounds."""
    for before, at_s, row in _pairs(times_s, rows):
        if at_s < 0:
            raise ValueError(f"row {row}: seconds {at_s:.10g} is below 0")
        if before is not None and at_s <= before:
            what = "occurs twice" if at_s == before else f"follows {before:.10g}"
            raise ValueError(f"row {row}: seconds {at_s:.10g} {what}; times must increase")
        if at_s > SECONDS_MAX:
            raise ValueError(
                f"row {row}: seconds {at_s:.10g} is beyond {SECONDS_MAX:,.0f}; times are in "
                "seconds, from 0 or from 1970"
            )


def _pairs(times_s: list[float], rows: list[int]) -> Iterator[tuple[float | None, float, int]]:
    before: float | None = None
    for at_s, row in zip(times_s, rows, strict=True):
        yield before, at_s, row
        before = at_s
