"""`semcom evaluate`: a sweep without processes, or a part of one, in a folder like a run's.

The plan, the ledger and everything derived from them are those of a run, so an evaluation and a
sweep of one scenario have the same plan digest, and must have the same results digest. The networks
run in a separate process (`orchestrator/training/evaluation_process.py`); this one plans and
records.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.evaluation.begun_evaluation import BegunEvaluation, open_evaluation
from orchestrator.evaluation.evaluation_jobs import job_of
from orchestrator.evaluation.job_process import PROCESS, JobProcess
from orchestrator.evaluation.part_choice import Part
from orchestrator.evaluation.recorder import EvaluationWatcher, Recorder
from orchestrator.evaluation.sibling_parts import notice_of_siblings
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.units import missing_units
from orchestrator.reports.report import write_report
from orchestrator.results.run_folder import (
    EVALUATION,
    LEDGER,
    PART,
    check_folder,
    is_read_only,
    open_finished,
)
from orchestrator.results.run_lock import alone_in
from orchestrator.sweep.run import InterruptedRunError, RunOutcome
from semcom.evaluation_messages import EvaluationJob, EvaluationLine, Evaluator
from semcom.files import is_there
from semcom.stop_signals import Stopped, stopping_at_once


def run_evaluation(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    watcher: Callable[[Plan], EvaluationWatcher],
    command: Sequence[str] = (),
    part: Part | None = None,
) -> RunOutcome:
    """Evaluate a scenario or a part of it, or finish one; existing answers are kept.

    `command` is the command that resumes it; see `orchestrator.results.resumption`.

    Raises:
        ConfigurationError: the folder contains a run, or an evaluation of something else.
        SemcomError: with the exit code of the error.
    """
    started_s = time.monotonic()
    folders, scenario = folders.absolute(), exactly(scenario)
    plan = plan_evaluation(scenario, folders)
    kind = EVALUATION if part is None else PART
    if part is None and is_read_only(folder) and is_there(folder / LEDGER):
        check_folder(folder, resume=True, kind=kind)
        why = f"{folder} cannot be written; choose another folder with --out"
        return RunOutcome(folder, open_finished(folder, plan), None, 0.0, why)
    with alone_in(folder, folders.runs):
        check_folder(folder, resume=True, kind=kind)
        with open_evaluation(scenario, plan, folder, folders, command=command, part=part) as begun:
            _record(begun, folders, watcher(begun.plan))
            return begun.finish(time.monotonic() - started_s, write_report, data=folders.data)


def exactly(scenario: Scenario) -> Scenario:
    """Return the scenario in exact mode, as an evaluation computes it.

    Only receivers merge frames.
    """
    return scenario.model_copy(update={"decoding": "exact"})


def plan_evaluation(scenario: Scenario, folders: Folders) -> Plan:
    """Return the plan of a new evaluation.

    Raises:
        SemcomError: a data set or a codec is missing, or cannot be used.
    """
    run = f"{scenario.name}.{secrets.token_hex(4)}"
    return make_plan(scenario, run=run, data_dir=folders.data, catalog=Catalog(folders.codecs))


def _record(begun: BegunEvaluation, folders: Folders, watcher: EvaluationWatcher) -> None:
    """Compute what is missing, and record each point as soon as it is answered.

    Raises:
        ProcessFailedError: the process failed.
        InterruptedRunError: Ctrl-C or SIGTERM.
    """
    recorded = begun.ledger.recorded_frames()
    part = begun.part
    recorder = Recorder(
        begun.ledger,
        watcher,
        recorded=sum(map(len, recorded.values())),
        part=None if part is None else str(part),
    )
    missing = missing_units(begun.units, recorded)
    if not missing:
        return
    begun.write_manifest()
    job = job_of(begun.plan, missing, folders, answers_dir=begun.answers_dir)
    with evaluating_process(job) as lines:
        for line in lines:
            recorder.take(line, job)
            if isinstance(line, Evaluator):
                begun.write_manifest()  # for processes that compute other parts
                if part is not None and (told := notice_of_siblings(begun.folder, line.origin)):
                    watcher.notice(told)


@contextmanager
def evaluating_process(job: EvaluationJob) -> Iterator[Iterator[EvaluationLine]]:
    """Start an evaluating process, which ends with the block.

    Raises:
        InterruptedRunError: Ctrl-C or SIGTERM inside the block.
    """
    try:
        with JobProcess(PROCESS) as process, stopping_at_once():
            yield process.lines(job)
    except Stopped as stopped:
        raise InterruptedRunError("interrupted", stopped.exit_code) from stopped
