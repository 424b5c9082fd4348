"""Parts of an evaluation on disk, to be merged: each with its plan and its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.evaluation.part_choice import FOLDER, MAX_PARTS, Part
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.results.ledger import Ledger
from orchestrator.results.resumption import stated_words, whole_words
from orchestrator.results.run_folder import (
    EVALUATION,
    LEDGER,
    PART,
    RUN_MANIFEST,
    open_ledger,
    read_run_manifest,
)
from orchestrator.results.run_lock import LOCK
from orchestrator.results.seals import check_seals, digests_of
from semcom.errors import ConfigurationError
from semcom.files import is_there, may_write
from semcom.fingerprint import Origin
from semcom.locks import exclusive
from semcom.settings import validate


@dataclass(frozen=True, kw_only=True)
class Source:
    """The folder of a part, or of a finished or stopped evaluation.

    Attributes:
        folder: its folder.
        plan: plan of the complete evaluation.
        origins: hosts that computed its answers.
        holds_answers: whether it has answers.
        manifest: content of its `manifest.json`.
    """

    folder: Path
    plan: Plan
    origins: tuple[Origin, ...]
    holds_answers: bool
    manifest: dict[str, Any]

    @property
    def part(self) -> Part | None:
        """Return its part; None for a complete evaluation, or if it is not stated."""
        stated = self.manifest.get("part")
        numbers = [
            stated.get(name) if isinstance(stated, dict) else None for name in ("number", "of")
        ]
        if not all(type(each) is int for each in numbers):
            return None
        number, of = (int(str(each)) for each in numbers)
        return Part(number, of) if 1 <= number <= of <= MAX_PARTS else None

    @property
    def words(self) -> list[str]:
        """Return the command of the complete evaluation; empty if the manifest has none."""
        return whole_words(stated_words(self.manifest))

    @property
    def scenario(self) -> Scenario:
        """Return the evaluated scenario.

        Raises:
            ConfigurationError: the manifest does not state it in this version's form.
        """
        path = self.folder / RUN_MANIFEST
        return validate(Scenario, self.manifest.get("scenario"), where=f"{path}: scenario")

    @property
    def codecs(self) -> list[CodecFacts]:
        """Return the known data of its codecs.

        Raises:
            ConfigurationError: the manifest does not say it, or not as this version does.
        """
        stated, path = self.manifest.get("codecs"), self.folder / RUN_MANIFEST
        if not isinstance(stated, list):
            raise ConfigurationError(f"{path} does not name its codecs")
        return [validate(CodecFacts, each, where=f"{path}: codecs") for each in stated]


def find_parts(named: Sequence[Path]) -> list[Path]:
    """Return folders of parts: named ones, and those inside a named folder.

    Raises:
        ConfigurationError: a folder contains neither a part nor parts.
    """
    found: dict[Path, Path] = {}
    for path in named:
        if is_there(path / LEDGER):
            folders = [path]
        else:
            inside = (each for each in path.glob("part-*") if FOLDER.fullmatch(each.name))
            folders = sorted(each for each in inside if is_there(each / LEDGER))
        if not folders:
            raise ConfigurationError(
                f"{path} holds neither a part of an evaluation nor folders of parts"
            )
        found |= {folder.resolve(): folder for folder in folders}
    return list(found.values())


def read_source(folder: Path) -> Source:
    """Read a part without its answers, and check that it was not altered.

    Raises:
        ConfigurationError: it is not a part, or a process is writing it.
        AccountingError: its ledger was altered, or has doubtful answers.
        StorageError: it is damaged or cannot be read.
    """
    with open_part(folder) as ledger:
        manifest = read_run_manifest(folder)
        if manifest is None:
            raise ConfigurationError(f"{folder} has no {RUN_MANIFEST}: finish its evaluation first")
        if manifest.get("kind") not in (EVALUATION, PART):
            raise ConfigurationError(
                f"{folder} holds a run through processes: only parts of evaluations are merged"
            )
        if ledger.seals:
            check_seals(ledger, digests_of(ledger))
        return Source(
            folder=folder,
            plan=ledger.plan,
            origins=tuple(ledger.origins.all().values()),
            holds_answers=next(ledger.rows(), None) is not None,
            manifest=manifest,
        )


@contextmanager
def open_part(folder: Path) -> Iterator[Ledger]:
    """Open the ledger of a part that no process on any host is writing; close it at the end.

    SQLite's log can be shared only within one host, so a ledger that is being written elsewhere
    must not be opened here.

    Raises:
        ConfigurationError: a process is writing it, or there is none.
        AccountingError: some of its answers are doubtful.
        StorageError: it is damaged.
    """
    if may_write(folder):
        with exclusive(folder / LOCK, f"part {folder}", folder=folder), open_ledger(folder) as held:
            yield held
    else:
        with open_ledger(folder) as held:
            yield held
