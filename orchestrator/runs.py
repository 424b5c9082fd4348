"""One run from scenario to report: folder, ledger, processes, results."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.catalog import Catalog
from orchestrator.codec_facts import CodecFacts, facts_of_plan
from orchestrator.ledger import Ledger
from orchestrator.processes import check_places, open_system
from orchestrator.reports.report import write_report
from orchestrator.run_folder import LEDGER, RESULTS_CSV, is_evaluation, open_ledger
from orchestrator.run_manifest import write_run_manifest
from orchestrator.scenarios import Plan, Scenario, make_plan
from orchestrator.service import SweepService, Watcher
from orchestrator.settings import Folders
from orchestrator.summary import summarize, write_results_csv
from orchestrator.sweep import Sweep
from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError, StorageError
from semcom.telemetry import log_file

logger = logging.getLogger("orchestrator.runs")
Reporter = Callable[[Path, Sequence[Path]], Path]  # draws the report of folders into a folder


class InterruptedRunError(SemcomError):
    """Ctrl-C or SIGTERM; what was recorded stays."""

    def __init__(self, text: str, exit_code: int = INTERRUPTED) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class RunOutcome:
    """Where a finished run lies, and what it came to."""

    folder: Path
    results_digest: str
    report: Path | None  # none where none was asked for, or none could be drawn
    seconds: float
    undrawn: str | None = None  # why a report that was asked for is not there


@dataclass(frozen=True)
class BegunRun:
    """A run with an open ledger."""

    scenario: Scenario
    folder: Path
    ledger: Ledger
    sweep: Sweep
    codecs: Sequence[CodecFacts]
    started_s: float
    command: Sequence[str] = ()

    @property
    def plan(self) -> Plan:
        """What is to be sent, as the ledger holds it."""
        return self.sweep.plan

    def interrupted(self, exit_code: int = INTERRUPTED) -> InterruptedRunError:
        """The error that says how far it has come."""
        missing, total = self.sweep.missing_frames, self.plan.total_frames
        text = f"interrupted with {missing} of {total} frames to go"
        return InterruptedRunError(text, exit_code)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a sweep is run.

    `resume`: go on with a run that is there. `launch`: start the processes here; else they are
    started elsewhere and dial in. `report`: draws the report, if one is wanted. `command`: the
    words that go on with it, see `orchestrator.resumption`.
    """

    resume: bool = False
    launch: bool = True
    report: Reporter | None = write_report
    command: Sequence[str] = ()


def run_sweep(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    watcher: Callable[[Plan], Watcher],
    options: RunOptions,
) -> RunOutcome:
    """Run a sweep to its end and write everything it leaves behind.

    Args:
        scenario: what to run.
        folder: the run's folder.
        folders: where data sets and codecs lie.
        watcher: makes the one who is told of the progress.
        options: how it is run.

    Raises:
        SemcomError: with the exit code that system.md names.
    """
    check_places(scenario, launch=options.launch)  # before there is a folder
    folders = folders.absolute()
    plan = plan_run(scenario, folders)
    resume, command = options.resume, options.command
    begun = begin_run(scenario, plan, folder, folders, resume=resume, command=command)
    try:
        if not begun.sweep.complete:
            with log_file(folder / "logs" / "orchestrator.jsonl"):
                _serve(begun, folders, watcher=watcher(begun.plan), launch=options.launch)
    finally:
        begun.ledger.close()
    return finish_run(begun, options.report)


def plan_run(scenario: Scenario, folders: Folders) -> Plan:
    """The plan of a new run; its name on the wire is new, so that no process confuses two runs.

    Raises:
        SemcomError: a data set or a codec is missing, or cannot be used.
    """
    run = f"{scenario.name}.{secrets.token_hex(4)}"
    return make_plan(scenario, run=run, data_dir=folders.data, catalog=Catalog(folders.codecs))


def begin_run(
    scenario: Scenario,
    plan: Plan,
    folder: Path,
    folders: Folders,
    *,
    resume: bool,
    command: Sequence[str] = (),
) -> BegunRun:
    """Open a run's ledger, new or to be gone on with, and write its manifest.

    Raises:
        ConfigurationError: the folder holds another run, or none to resume.
        StorageError: the disk refuses.
    """
    started_s = time.monotonic()
    ledger = _open_ledger(folder, plan, resume=resume)
    try:
        codecs = facts_of_plan(ledger.plan, Catalog(folders.codecs))
        write_run_manifest(folder, scenario, ledger.plan, codecs=codecs, command=command)
        sweep = Sweep(
            ledger.plan,
            recorded=ledger.recorded_frames(),
            window=scenario.window,
            encode_once=scenario.encode_once,
            sharded=scenario.shards > 1,
        )
    except BaseException:
        ledger.close()
        raise
    return BegunRun(scenario, folder, ledger, sweep, codecs, started_s, command)


def finish_run(begun: BegunRun, report: Reporter | None) -> RunOutcome:
    """Write all that a complete run leaves behind; its ledger is closed by now.

    A report that cannot be drawn is no fault of the run: the outcome says why there is none.

    Raises:
        StorageError: the disk refuses.
    """
    folder, seconds = begun.folder, time.monotonic() - begun.started_s
    with open_ledger(folder) as ledger:
        write_results_csv(folder / RESULTS_CSV, summarize(ledger))
        digest = ledger.results_digest()
    write_run_manifest(
        folder,
        begun.scenario,
        begun.plan,
        codecs=begun.codecs,
        command=begun.command,
        results={"results_digest": digest, "seconds": round(seconds, 1)},
    )
    page, undrawn = draw(folder, report)
    return RunOutcome(folder, digest, page, seconds, undrawn)


def draw(folder: Path, report: Reporter | None) -> tuple[Path | None, str | None]:
    """Draw a finished run's report; returns its page, or why one that was asked for is missing."""
    if report is None:
        return None, None
    try:
        return report(folder, [folder]), None
    except SemcomError as error:
        return None, str(error)
    except Exception as error:
        logger.info("the report cannot be drawn", exc_info=True)
        return None, f"{type(error).__name__}: {error}"


def last_folder(folder: Path) -> Path:
    """The last of `folder`, folder-2, folder-3, ... that exists; `folder` if none does."""
    last, number = folder, 2
    while (candidate := folder.with_name(f"{folder.name}-{number}")).exists():
        last, number = candidate, number + 1
    return last


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate


def _serve(begun: BegunRun, folders: Folders, *, watcher: Watcher, launch: bool) -> None:
    with open_system(begun.scenario, begun.folder, folders, launch=launch) as system:
        service = SweepService(
            system.control,
            sweep=begun.sweep,
            ledger=begun.ledger,
            launcher=system.launcher,
            telemetry=system.telemetry,
            watcher=watcher,
        )
        system.run(service, list(begun.scenario.links))
        if service.failure is not None:
            raise service.failure
        if not begun.sweep.complete:
            raise begun.interrupted(system.exit_code)


def _open_ledger(folder: Path, plan: Plan, *, resume: bool) -> Ledger:
    path = folder / LEDGER
    if path.exists() and not resume:
        raise ConfigurationError(f"{folder} holds a run; add --resume to go on, or choose --out")
    if resume and not path.exists():
        raise ConfigurationError(f"{folder} holds no run to resume")
    if resume and is_evaluation(folder):
        raise ConfigurationError(f"{folder} holds an evaluation, not a run; choose another --out")
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    return Ledger(path, plan)
