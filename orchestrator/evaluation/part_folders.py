"""Parts of an evaluation as they lie on disk, to be merged: each with its plan and its manifest."""

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
    """A part, or an evaluation that was finished or stopped, as its folder holds it.

    Attributes:
        folder: where it lies.
        plan: what it is a part of.
        origins: who computed what it holds.
        holds_answers: whether it holds any.
        manifest: what its `manifest.json` says.
    """

    folder: Path
    plan: Plan
    origins: tuple[Origin, ...]
    holds_answers: bool
    manifest: dict[str, Any]

    @property
    def part(self) -> Part | None:
        """Return which part it is; None where it is a whole evaluation, or does not say."""
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
        """Return the words of the whole evaluation; none where the manifest holds no such words."""
        return whole_words(stated_words(self.manifest))

    @property
    def scenario(self) -> Scenario:
        """Return what is evaluated.

        Raises:
            ConfigurationError: the manifest does not say it, or not as this version does.
        """
        path = self.folder / RUN_MANIFEST
        return validate(Scenario, self.manifest.get("scenario"), where=f"{path}: scenario")

    @property
    def codecs(self) -> list[CodecFacts]:
        """Return what is known of its codecs.

        Raises:
            ConfigurationError: the manifest does not say it, or not as this version does.
        """
        stated, path = self.manifest.get("codecs"), self.folder / RUN_MANIFEST
        if not isinstance(stated, list):
            raise ConfigurationError(f"{path} does not say its codecs")
        return [validate(CodecFacts, each, where=f"{path}: codecs") for each in stated]


def find_parts(named: Sequence[Path]) -> list[Path]:
    """Return folders of parts: those that are named, and those that lie in a named folder.

    Raises:
        ConfigurationError: one holds neither a part nor parts.
    """
    found: dict[Path, Path] = {}
    for path in named:
        if is_there(path / LEDGER):
            folders = [path]
        else:
            inside = (each for each in path.glob("part-*") if FOLDER.fullmatch(each.name))
            folders = sorted(each for each in inside if is_there(each / LEDGER))
        if not folders:
            raise ConfigurationError(f"{path} holds no part of an evaluation, and no parts")
        found |= {folder.resolve(): folder for folder in folders}
    return list(found.values())


def read_source(folder: Path) -> Source:
    """Read a part but for its answers, and see that it is as it was left.

    Raises:
        ConfigurationError: it is no part, or a process is filling it.
        AccountingError: its ledger was altered, or holds answers in doubt.
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
    """Open the ledger of a part that no process is filling, on any host; closed at the end.

    SQLite's log is shared within one host alone, so a ledger that is written elsewhere must not be
    opened here.

    Raises:
        ConfigurationError: a process is filling it, or there is none.
        AccountingError: some of its answers are in doubt.
        StorageError: it is damaged.
    """
    if may_write(folder):
        with exclusive(folder / LOCK, f"part {folder}", folder=folder), open_ledger(folder) as held:
            yield held
    else:
        with open_ledger(folder) as held:
            yield held
