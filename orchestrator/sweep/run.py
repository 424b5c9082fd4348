"""One run from scenario to report: folder, ledger, processes, results."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.control.service import ControlService
from orchestrator.control.system import ProcessCluster, check_places, open_system
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_facts import CodecFacts, facts_of_plan, tasks_of
from orchestrator.plan.folders import DATA, Folders
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.scenario import Scenario, SystemSettings
from orchestrator.reports.report import write_report
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_end import write_results
from orchestrator.results.run_folder import (
    LEDGER,
    check_folder,
    is_read_only,
    open_finished,
)
from orchestrator.results.run_lock import alone_in
from orchestrator.results.run_manifest import write_run_manifest
from orchestrator.sweep.state import Sweep
from orchestrator.sweep.sweep_work import SweepWork, Watcher
from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError, StorageError
from semcom.files import is_there
from semcom.kept_answers import FOLDER as ANSWERS
from semcom.stop_signals import StopRequest, stop_requests
from semcom.telemetry import log_file

# Shown while a process that was asked to end finishes.
DRAINING = "finishing work in progress"
WRITING = "writing the results and the report"

logger = logging.getLogger("orchestrator.sweep.run")


class Reporter(Protocol):
    """Draws the report of some folders into a folder and returns the page."""

    def __call__(self, folder: Path, sources: Sequence[Path], *, data: Path) -> Path: ...


class InterruptedRunError(SemcomError):
    """Ctrl-C or SIGTERM; recorded frames are kept."""

    def __init__(self, text: str, exit_code: int = INTERRUPTED) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class RunOutcome:
    """A finished run: its folder and its results."""

    folder: Path
    results_digest: str
    report: Path | None  # None if none was requested, or if it could not be drawn or written
    seconds: float
    undrawn: str | None = None  # why a requested report is missing


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
        """Return the plan in the ledger."""
        return self.sweep.plan

    def interrupted(self, exit_code: int = INTERRUPTED) -> InterruptedRunError:
        """Return the error that states the progress."""
        missing, total = self.sweep.missing_frames, self.plan.total_frames
        text = f"interrupted with {missing} of {total} frames to go"
        return InterruptedRunError(text, exit_code)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a sweep.

    `resume`: continue an existing run. `launch`: start the processes here; otherwise they are
    started elsewhere and connect. `cluster`: connects to a cluster whose nodes run them; an
    existing run is then resumed, so that the same command can be repeated. `report`: draws the
    report; None for no report. `command`: the words that resume it; see
    `orchestrator.results.resumption`.
    """

    resume: bool = False
    launch: bool = True
    cluster: Callable[[Scenario], AbstractContextManager[ProcessCluster]] | None = None
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
    """Run a sweep to its end and write all results.

    Args:
        scenario: scenario of the sweep.
        folder: the run's folder.
        folders: folders of data sets and codecs.
        watcher: creates the object that gets the progress.
        options: options of the sweep.

    Raises:
        SemcomError: with its exit code.
    """
    check_places(scenario, launch=options.launch)  # before there is a folder
    if scenario.keep_answers and options.cluster is not None:
        raise ConfigurationError(
            "keep_answers: on a cluster, the answers would stay on its nodes; omit it"
        )
    if scenario.keep_answers and not options.launch:
        raise ConfigurationError(
            "keep_answers: processes that are started elsewhere keep answers in the "
            "folder that answers_dir in their files names; omit it"
        )
    folders = folders.absolute()
    plan = plan_run(scenario, folders)
    resume = options.resume or (options.cluster is not None and is_there(folder / LEDGER))
    if resume or is_read_only(folder):  # otherwise the process that holds it is named first
        check_folder(folder, resume=resume)
    if resume and is_read_only(folder):
        why = f"{folder} cannot be written; choose another folder with --out"
        return RunOutcome(folder, open_finished(folder, plan), None, 0.0, why)
    with alone_in(folder, folders.runs), stop_requests(DRAINING) as stop:
        begun = begin_run(scenario, plan, folder, folders, resume=resume, command=options.command)
        try:
            if not begun.sweep.complete:
                with log_file(folder / "logs" / "orchestrator.jsonl"):
                    _serve(begun, folders, watcher=watcher(begun.plan), options=options, stop=stop)
            stop.doing = WRITING
            return finish_run(begun, options.report, data=folders.data)
        finally:
            begun.ledger.close()


def plan_run(scenario: Scenario, folders: Folders) -> Plan:
    """Return the plan of a new run, with a new name on the wire, so that runs are not confused.

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
    """Open a run's new or existing ledger, and write its manifest.

    The caller holds the folder (`alone_in`).

    Raises:
        ConfigurationError: the folder holds another run, or none to resume.
        StorageError: the disk cannot be written.
    """
    started_s = time.monotonic()
    check_folder(folder, resume=resume)
    codecs = facts_of_plan(plan, Catalog(folders.codecs))
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    ledger = Ledger(folder / LEDGER, plan, tasks=tasks_of(codecs))
    try:
        sweep = Sweep(
            ledger.plan,
            recorded=ledger.recorded_frames(),
            window=scenario.window,
            encode_once=scenario.encode_once,
            sharded=scenario.shards > 1,
        )
        if not sweep.complete:  # that of a complete run contains more
            write_run_manifest(folder, scenario, ledger.plan, codecs=codecs, command=command)
    except BaseException:
        ledger.close()
        raise
    return BegunRun(scenario, folder, ledger, sweep, codecs, started_s, command)


def finish_run(begun: BegunRun, report: Reporter | None, *, data: Path = DATA) -> RunOutcome:
    """Write all results of a complete run, and close its ledger.

    A report that cannot be drawn does not fail the run: the outcome says why there is none.

    Raises:
        AccountingError: the ledger was altered after it was complete.
        StorageError: the disk cannot be written, or the folder was deleted or replaced.
    """
    folder, seconds = begun.folder, time.monotonic() - begun.started_s
    digests = write_results(
        begun.ledger, begun.scenario, begun.codecs, seconds=seconds, command=begun.command
    )
    begun.ledger.close()  # for readers, such as the report's process
    page, undrawn = draw(folder, report, data=data)
    begun.ledger.check_place()
    return RunOutcome(folder, digests.results, page, seconds, undrawn)


def draw(
    folder: Path, report: Reporter | None, *, data: Path = DATA
) -> tuple[Path | None, str | None]:
    """Draw a finished run's report, with the data sets of `data`.

    Returns its page, or why a requested one is missing.
    """
    if report is None:
        return None, None
    try:
        return report(folder, [folder], data=data), None
    except SemcomError as error:
        return None, str(error)
    except Exception as error:
        logger.info("the report cannot be drawn", exc_info=True)
        return None, f"{type(error).__name__}: {error}"


def _serve(
    begun: BegunRun, folders: Folders, *, watcher: Watcher, options: RunOptions, stop: StopRequest
) -> None:
    answers = begun.folder / ANSWERS if begun.scenario.keep_answers else None
    with ExitStack() as stack:
        settings: SystemSettings = begun.scenario
        launch: bool | ProcessCluster = options.launch
        if options.cluster is not None:
            launch = stack.enter_context(options.cluster(begun.scenario))
            settings = launch.settings
        system = stack.enter_context(
            open_system(settings, begun.folder, folders, launch=launch, stop=stop, answers=answers)
        )
        work = SweepWork(begun.sweep, begun.ledger, telemetry=system.telemetry, watcher=watcher)
        service = ControlService(
            system.control, work, launcher=system.launcher, telemetry=system.telemetry
        )
        system.run(service, list(begun.scenario.links))
        if service.failure is not None:
            raise service.failure
        if not begun.sweep.complete:
            raise begun.interrupted(stop.exit_code)
