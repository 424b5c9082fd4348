"""A run as it lies on disk: a folder with a ledger and the files made from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.ledger import Ledger
from orchestrator.summary import Summary, summarize
from semcom.errors import AccountingError, ConfigurationError, StorageError

LEDGER = "ledger.sqlite"
RUN_MANIFEST = "manifest.json"
RESULTS_CSV = "results.csv"
MAX_FILE_BYTES = 64 << 20
EVALUATION = "evaluation"  # what a manifest's `kind` says of a ledger that one process filled


@dataclass(frozen=True, kw_only=True)
class Run:
    """What there is to report of a run; `manifest` is empty where no file was left."""

    name: str
    folder: Path
    summary: Summary
    results_digest: str
    manifest: dict[str, Any]

    @property
    def is_evaluation(self) -> bool:
        """Whether one process made it, without links."""
        return self.manifest.get("kind") == EVALUATION


def read_run(folder: Path) -> Run:
    """Read a run, complete or not; it is called like its folder.

    Raises:
        ConfigurationError: the folder holds no run, or its manifest is not a map in JSON.
        AccountingError: the ledger holds frames that were never planned.
        StorageError: a file is damaged or cannot be read.
    """
    with open_ledger(folder) as ledger:
        summary, results_digest = summarize(ledger), ledger.results_digest()
    return Run(
        name=folder.resolve().name,
        folder=folder,
        summary=summary,
        results_digest=results_digest,
        manifest=read_run_manifest(folder) or {},
    )


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    """The ledger of a run that exists already, closed at the end.

    Raises:
        ConfigurationError: the folder holds no run.
        AccountingError: some of its answers are in doubt.
        StorageError: the ledger is damaged, found so now or while it is read.
    """
    path = folder / LEDGER
    try:
        ledger = Ledger(path)
        try:
            if ledger.doubt is not None:
                raise AccountingError(
                    f"answers of {folder} are in doubt: {ledger.doubt}; run it anew"
                )
            yield ledger
        finally:
            ledger.close()
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise StorageError(f"ledger {path} cannot be read: {error}") from error


def read_run_manifest(folder: Path) -> dict[str, Any] | None:
    """What a run's `manifest.json` holds; None where there is none.

    Raises:
        ConfigurationError: it is not a map in JSON.
        StorageError: it cannot be read.
    """
    path = folder / RUN_MANIFEST
    content = read_if_there(path)
    if content is None:
        return None
    manifest = parse_json(content, path)
    if not isinstance(manifest, dict):
        raise ConfigurationError(f"{path} must hold a map")
    return manifest


def is_evaluation(folder: Path) -> bool:
    """Whether a folder's ledger was filled by one process (`semcom evaluate`), not by a run.

    Raises:
        ConfigurationError: the folder's manifest is not a map in JSON.
        StorageError: it cannot be read.
    """
    return (read_run_manifest(folder) or {}).get("kind") == EVALUATION


def parse_json(content: bytes, path: Path) -> Any:
    """What a file's content says in JSON.

    Raises:
        ConfigurationError: it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error


def read_if_there(path: Path) -> bytes | None:
    """A file's content; None where there is none.

    Raises:
        StorageError: it is too large or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StorageError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
