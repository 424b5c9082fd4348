"""An evaluation, or a part of one, with an open ledger: its start and its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.evaluation.part_choice import Part
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_facts import CodecFacts, facts_of_plan, tasks_of
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.units import Unit, units_of_part, whole_units
from orchestrator.results.ledger import Ledger
from orchestrator.results.origins import stated_origins
from orchestrator.results.run_end import seal_part, write_results
from orchestrator.results.run_folder import EVALUATION, LEDGER, PART
from orchestrator.results.run_manifest import write_run_manifest
from orchestrator.sweep.run import WRITING, Reporter, RunOutcome, draw
from semcom.kept_answers import FOLDER as ANSWERS
from semcom.stop_signals import stop_requests


@dataclass(frozen=True, kw_only=True)
class BegunEvaluation:
    """A started evaluation: its plan and its ledger.

    `command` is the command that resumes it; `part` is the part that it computes, if not all.
    """

    scenario: Scenario
    ledger: Ledger
    codecs: Sequence[CodecFacts]
    command: Sequence[str] = ()
    part: Part | None = None

    @property
    def plan(self) -> Plan:
        """Return the plan in the ledger."""
        return self.ledger.plan

    @property
    def folder(self) -> Path:
        """Return its folder."""
        return self.ledger.path.parent

    @property
    def units(self) -> list[Unit]:
        """Return all units that belong to this ledger."""
        if self.part is None:
            return whole_units(self.plan)
        return units_of_part(self.plan, self.part.number, self.part.of)

    @property
    def answers_dir(self) -> Path | None:
        """Return the folder of kept answers, if they are kept."""
        return (self.folder / ANSWERS).absolute() if self.scenario.keep_answers else None

    def write_manifest(self) -> None:
        """Write the manifest as far as it is known.

        Raises:
            StorageError: the disk cannot be written.
        """
        write_run_manifest(
            self.folder,
            self.scenario,
            self.plan,
            codecs=self.codecs,
            command=self.command,
            results={**self._kind, **stated_origins(self.ledger.origins, self.plan)},
        )

    def finish(self, seconds: float, report: Reporter, *, data: Path) -> RunOutcome:
        """Write all results of a complete evaluation, and close the ledger.

        Raises:
            AccountingError: the ledger lacks answers, or was altered.
            StorageError: the disk cannot be written, or the folder was moved or deleted.
        """
        ledger, part = self.ledger, self.part
        page = undrawn = None
        with stop_requests(WRITING):
            if part is None:
                digests = write_results(
                    ledger,
                    self.scenario,
                    self.codecs,
                    seconds=seconds,
                    command=self.command,
                    more=self._kind,
                )
            else:
                more = {**self._kind, "seconds": round(seconds, 1)}
                digests = seal_part(
                    ledger, self.scenario, self.codecs, command=self.command, more=more
                )
            ledger.close()
            if part is None:
                page, undrawn = draw(self.folder, report, data=data)
            ledger.check_place()
        return RunOutcome(self.folder, digests.results, page, seconds, undrawn)

    @property
    def _kind(self) -> dict[str, Any]:
        if self.part is None:
            return {"kind": EVALUATION}
        return {"kind": PART, "part": {"number": self.part.number, "of": self.part.of}}


@contextmanager
def open_evaluation(
    scenario: Scenario,
    plan: Plan,
    folder: Path,
    folders: Folders,
    *,
    command: Sequence[str] = (),
    part: Part | None = None,
) -> Iterator[BegunEvaluation]:
    """Open the ledger of a new or resumed evaluation; close it at the end.

    The caller has locked the folder (`orchestrator.results.run_lock.alone_in`).

    Raises:
        ConfigurationError: the folder contains an evaluation of something else.
        StorageError: the disk cannot be written.
    """
    codecs = facts_of_plan(plan, Catalog(folders.codecs))
    ledger = Ledger(folder / LEDGER, plan, tasks=tasks_of(codecs))
    try:
        yield BegunEvaluation(
            scenario=scenario, ledger=ledger, codecs=codecs, command=command, part=part
        )
    finally:
        ledger.close()
