"""A run on disk: a folder with a ledger and the files derived from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestrator.plan.plan import Plan
from orchestrator.results.ledger import Ledger
from orchestrator.results.ledger_file import storage_errors
from orchestrator.results.seals import check_seals, digests_of
from orchestrator.results.summary import Summary, summarize
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.files import is_there, may_write, read_file
from semcom.settings import validate

Record = TypeVar("Record", bound=BaseModel)
LEDGER = "ledger.sqlite"
RUN_MANIFEST = "manifest.json"
RESULTS_CSV = "results.csv"
MAX_FILE_BYTES = 64 << 20
# Values of a manifest's `kind`; a run through processes has none.
EVALUATION = "evaluation"  # a ledger that was filled without links
PART = "part"  # a ledger that holds a part of an evaluation
KINDS = {
    None: "a run through processes",
    EVALUATION: "an evaluation",
    PART: "a part of an evaluation",
}


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run to report; `manifest` is empty if there is no file.

    `labels` are display names of systems, codecs and channels by their original names.
    """

    name: str
    folder: Path
    summary: Summary
    results_digest: str
    manifest: dict[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_evaluation(self) -> bool:
        """Return whether it is an evaluation, or a part of one."""
        return self.manifest.get("kind") in (EVALUATION, PART)


def read_run(folder: Path) -> StoredRun:
    """Read a run, complete or not; its name is that of its folder.

    Raises:
        ConfigurationError: the folder holds no run, or its manifest is not a map in JSON.
        AccountingError: the ledger was altered.
        StorageError: a file is damaged or cannot be read.
    """
    with open_ledger(folder) as ledger:
        summary, digests = summarize(ledger), digests_of(ledger)
        check_seals(ledger, digests)
    return StoredRun(
        name=folder.resolve().name,
        folder=folder,
        summary=summary,
        results_digest=digests.results,
        manifest=read_run_manifest(folder) or {},
    )


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    """Yield the ledger of an existing run for reading.

    Raises:
        ConfigurationError: the folder holds no run.
        AccountingError: some of its answers are doubtful, or its plan was altered.
        StorageError: the ledger is damaged, which may only be found while it is read.
    """
    path = folder / LEDGER
    with storage_errors(path):
        ledger = Ledger(path)
        try:
            if ledger.doubt is not None:
                raise AccountingError(
                    f"answers of {folder} are doubtful: {ledger.doubt}; run it again"
                )
            yield ledger
        finally:
            ledger.close()


def is_read_only(folder: Path) -> bool:
    """Return whether this process can read a folder but not write into it.

    Raises:
        StorageError: this cannot be determined, for example because the name is too long.
    """
    return is_there(folder) and folder.is_dir() and not may_write(folder)


def open_finished(folder: Path, plan: Plan) -> str:
    """Return the results digest of a complete run of a plan in a read-only folder.

    Raises:
        AccountingError: the ledger was altered.
        ConfigurationError: it has another plan.
        StorageError: it is not complete, so it would have to be written.
    """
    with open_ledger(folder) as ledger:
        digests, complete = digests_of(ledger), not summarize(ledger).incomplete
        check_seals(ledger, digests)
        if ledger.plan.digest != plan.digest:
            raise ConfigurationError(f"{folder} belongs to a plan other than the scenario's")
    if not complete:
        raise StorageError(
            f"{folder} cannot be written, so its run cannot be resumed: resume a copy"
        )
    return digests.results


def read_run_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the content of a run's `manifest.json`; None if there is none.

    Raises:
        ConfigurationError: it is not a map in JSON.
        StorageError: it cannot be read.
    """
    path = folder / RUN_MANIFEST
    content = read_if_there(path)
    return None if content is None else parse_manifest(content, path)


def parse_manifest(content: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a manifest.

    Raises:
        ConfigurationError: it is not a map in JSON.
    """
    manifest = parse_json(content, path)
    if not isinstance(manifest, dict):
        raise ConfigurationError(f"{path} must hold a map")
    return manifest


def kind_of(folder: Path) -> str | None:
    """Return the kind of a folder's ledger: EVALUATION, PART, or None for a run through processes.

    Raises:
        ConfigurationError: the folder's manifest is not a map in JSON.
        StorageError: it cannot be read.
    """
    kind = (read_run_manifest(folder) or {}).get("kind")
    return kind if kind in (EVALUATION, PART) else None


def check_folder(folder: Path, *, resume: bool, kind: str | None = None) -> None:
    """Check that a folder holds the run to resume, or no run.

    Args:
        folder: folder of the run.
        resume: whether to continue an existing run, which must then exist.
        kind: expected kind; see `kind_of`.

    Raises:
        ConfigurationError: it holds something else.
        StorageError: this cannot be determined.
    """
    there = is_there(folder / LEDGER)
    if there and not resume:
        raise ConfigurationError(f"{folder} holds a run; add --resume, or choose another --out")
    if resume and not there and kind is None:
        raise ConfigurationError(f"{folder} holds no run to resume")
    others = [name for name in (RESULTS_CSV, RUN_MANIFEST) if is_there(folder / name)]
    if others and not there:
        raise ConfigurationError(
            f"{folder} contains a file of something else, {others[0]}; choose another --out"
        )
    if there and (found := kind_of(folder)) != kind:
        wanted = "a run" if kind is None else KINDS[kind]
        raise ConfigurationError(
            f"{folder} holds {KINDS[found]}, not {wanted}; choose another --out"
        )


def parse_json(content: bytes, path: Path) -> Any:
    """Return the JSON content of a file.

    Raises:
        ConfigurationError: it is not JSON.
    """
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Return the record in a file; None if there is no file.

    Raises:
        ConfigurationError: it is damaged.
        StorageError: it cannot be read.
    """
    content = read_if_there(path)
    if content is None:
        return None
    return validate(kind, parse_json(content, path), where=str(path))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # parsers differ in which one they use
        raise ValueError("a key occurs twice")
    return found


def read_if_there(path: Path) -> bytes | None:
    """Return a file's content; None if it does not exist.

    Raises:
        StorageError: it is not a regular file, too large, or cannot be read.
    """
    try:
        return read_file(path, max_bytes=MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
