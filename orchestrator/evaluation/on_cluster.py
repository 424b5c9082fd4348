"""An evaluation whose units are computed by an engine's workers, and recorded here."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

from orchestrator.evaluation.begun_evaluation import BegunEvaluation, open_evaluation
from orchestrator.evaluation.evaluation_jobs import job_of
from orchestrator.evaluation.one_process import exactly, plan_evaluation
from orchestrator.evaluation.recorder import EvaluationWatcher, Recorder
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.units import in_pieces, missing_units
from orchestrator.reports.report import write_report
from orchestrator.results.run_folder import EVALUATION, check_folder
from orchestrator.results.run_lock import alone_in
from orchestrator.sweep.run import InterruptedRunError, RunOutcome
from semcom.errors import ConfigurationError
from semcom.evaluation_messages import EvaluationJob, EvaluationLine
from semcom.stop_signals import Stopped, stopping_at_once

UNITS_OF_A_WORKER = 10  # units per worker, so that none waits long for the last one


class Cluster(Protocol):
    """An engine's workers."""

    @property
    def workers(self) -> int:
        """Return how many units are computed at the same time."""

    def compute(
        self, jobs: Sequence[EvaluationJob]
    ) -> Generator[tuple[EvaluationJob, list[EvaluationLine]]]:
        """Yield each job with its lines, in the order in which they are finished.

        Closing it cancels running jobs.
        """


def run_on_cluster(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    watcher: Callable[[Plan], EvaluationWatcher],
    cluster: Callable[[int], AbstractContextManager[Cluster]],
    command: Sequence[str] = (),
) -> RunOutcome:
    """Evaluate a scenario on a cluster, or finish one; existing units are kept.

    Args:
        scenario: what to evaluate.
        folder: folder of the evaluation.
        folders: folders of data sets and codecs, which every node must have under the same paths.
        watcher: creates the object that gets the progress.
        cluster: connects to the workers, given the number of threads of a unit.
        command: the words of the command that resumes it.

    Raises:
        ConfigurationError: the folder contains something else, or there is no cluster.
        InterruptedRunError: Ctrl-C or SIGTERM; running units have been cancelled.
        SemcomError: with the exit code of the error.
    """
    started_s = time.monotonic()
    if scenario.keep_answers:
        raise ConfigurationError(
            "keep_answers: on a cluster, the answers would stay on its workers; leave it "
            "out, or use --part"
        )
    folders, scenario = folders.absolute(), exactly(scenario)
    plan = plan_evaluation(scenario, folders)
    with alone_in(folder, folders.runs):
        check_folder(folder, resume=True, kind=EVALUATION)
        with open_evaluation(scenario, plan, folder, folders, command=command) as begun:
            recorded = begun.ledger.recorded_frames()
            told = watcher(begun.plan)
            recorder = Recorder(begun.ledger, told, recorded=sum(map(len, recorded.values())))
            if missing := missing_units(begun.units, recorded):
                begun.write_manifest()
                threads = max(plan.threads.transmitter, plan.threads.receiver)
                with cluster(threads) as connected:
                    answers = sum(unit.frames for unit in missing)
                    each = -(-answers // (UNITS_OF_A_WORKER * connected.workers))
                    pieces = [piece for unit in missing for piece in in_pieces(unit, answers=each)]
                    jobs = [job_of(begun.plan, [piece], folders) for piece in pieces]
                    _record(begun, connected, jobs, recorder)
            return begun.finish(time.monotonic() - started_s, write_report, data=folders.data)


def _record(
    begun: BegunEvaluation, cluster: Cluster, jobs: Sequence[EvaluationJob], recorder: Recorder
) -> None:
    """Record each unit as a whole as soon as it returns."""
    try:
        with stopping_at_once(), closing(cluster.compute(jobs)) as answered:
            for job, lines in answered:
                with begun.ledger.transaction():
                    for line in lines:
                        recorder.take(line, job)
    except Stopped as stopped:
        raise InterruptedRunError("interrupted", stopped.exit_code) from stopped
