"""A run as it lies on disk: a folder with a ledger and the files made from it."""

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
# What a manifest's `kind` says; that of a run through processes has none.
EVALUATION = "evaluation"  # of a ledger that was filled without links
PART = "part"  # of one that holds a part of an evaluation
KINDS = {
    None: "a run through processes",
    EVALUATION: "an evaluation",
    PART: "a part of an evaluation",
}


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """What there is to report of a run; `manifest` is empty where no file was left.

    `labels` are names of a user for systems and codecs, by the names that they have.
    """

    name: str
    folder: Path
    summary: Summary
    results_digest: str
    manifest: dict[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_evaluation(self) -> bool:
        """Whether it was made without links, all of it or a part."""
        return self.manifest.get("kind") in (EVALUATION, PART)


def read_run(folder: Path) -> StoredRun:
    """Read a run, complete or not; it is called like its folder.

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
    """The ledger of a run that exists already, to be read; closed at the end.

    Raises:
        ConfigurationError: the folder holds no run.
        AccountingError: some of its answers are in doubt, or its plan was altered.
        StorageError: the ledger is damaged, found so now or while it is read.
    """
    path = folder / LEDGER
    with storage_errors(path):
        ledger = Ledger(path)
        try:
            if ledger.doubt is not None:
                raise AccountingError(
                    f"answers of {folder} are in doubt: {ledger.doubt}; run it again"
                )
            yield ledger
        finally:
            ledger.close()


def is_read_only(folder: Path) -> bool:
    """Whether this process may look at a folder and not write into it.

    Raises:
        StorageError: that cannot be told, as of a name that is too long.
    """
    return is_there(folder) and folder.is_dir() and not may_write(folder)


def open_finished(folder: Path, plan: Plan) -> str:
    """Return the results digest of a complete run of a plan, in a folder that is only read.

    Raises:
        AccountingError: the ledger was altered.
        ConfigurationError: it is of another plan.
        StorageError: it is not complete, so that it would have to be written.
    """
    with open_ledger(folder) as ledger:
        digests, complete = digests_of(ledger), not summarize(ledger).incomplete
        check_seals(ledger, digests)
        if ledger.plan.digest != plan.digest:
            raise ConfigurationError(f"{folder} belongs to another plan than the scenario's")
    if not complete:
        raise StorageError(
            f"{folder} cannot be written, so its run cannot be resumed: resume a copy"
        )
    return digests.results


def read_run_manifest(folder: Path) -> dict[str, Any] | None:
    """What a run's `manifest.json` holds; None where there is none.

    Raises:
        ConfigurationError: it is not a map in JSON.
        StorageError: it cannot be read.
    """
    path = folder / RUN_MANIFEST
    content = read_if_there(path)
    return None if content is None else parse_manifest(content, path)


def parse_manifest(content: bytes, path: Path) -> dict[str, Any]:
    """What a manifest says.

    Raises:
        ConfigurationError: it is not a map in JSON.
    """
    manifest = parse_json(content, path)
    if not isinstance(manifest, dict):
        raise ConfigurationError(f"{path} must hold a map")
    return manifest


def kind_of(folder: Path) -> str | None:
    """What a folder's ledger was filled as: EVALUATION, PART, or None as a run through processes.

    Raises:
        ConfigurationError: the folder's manifest is not a map in JSON.
        StorageError: it cannot be read.
    """
    kind = (read_run_manifest(folder) or {}).get("kind")
    return kind if kind in (EVALUATION, PART) else None


def check_folder(folder: Path, *, resume: bool, kind: str | None = None) -> None:
    """See that a folder holds what is to be gone on with, or nothing.

    Args:
        folder: to write into.
        resume: go on with what is there, if anything is; a run that is resumed must be there.
        kind: as what it is to be filled, see `kind_of`.

    Raises:
        ConfigurationError: it holds something else.
        StorageError: that cannot be told.
    """
    there = is_there(folder / LEDGER)
    if there and not resume:
        raise ConfigurationError(f"{folder} holds a run; add --resume, or choose another --out")
    if resume and not there and kind is None:
        raise ConfigurationError(f"{folder} holds no run to resume")
    others = [name for name in (RESULTS_CSV, RUN_MANIFEST) if is_there(folder / name)]
    if others and not there:
        raise ConfigurationError(
            f"{folder} has {others[0]} of something else; choose another --out"
        )
    if there and (found := kind_of(folder)) != kind:
        wanted = "a run" if kind is None else KINDS[kind]
        raise ConfigurationError(
            f"{folder} holds {KINDS[found]}, not {wanted}; choose another --out"
        )


def parse_json(content: bytes, path: Path) -> Any:
    """What a file's content says in JSON.

    Raises:
        ConfigurationError: it is not JSON.
    """
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """What a file holds, of a kind; None where there is no file.

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
    if len(found) != len(pairs):  # readers would differ in which one they take
        raise ValueError("a key is given twice")
    return found


def read_if_there(path: Path) -> bytes | None:
    """A file's content; None where there is none.

    Raises:
        StorageError: it is no regular file, too large, or cannot be read.
    """
    try:
        return read_file(path, max_bytes=MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
