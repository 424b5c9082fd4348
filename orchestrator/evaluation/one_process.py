"""`semcom evaluate`: a sweep without processes, in a folder like a run's.

The plan, the ledger and what is made from them are those of a run, so an evaluation and a sweep of
one scenario have one plan digest, and must have one results digest. The networks run in a process
of their own (`orchestrator/training/evaluation_process.py`); this one plans and records.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_facts import facts_of_plan, tasks_of
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.scenario import Scenario
from orchestrator.reports.report import write_report
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_end import write_results
from orchestrator.results.run_folder import (
    EVALUATION,
    LEDGER,
    check_folder,
    is_read_only,
    open_finished,
)
from orchestrator.results.run_lock import alone_in
from orchestrator.results.run_manifest import write_run_manifest
from orchestrator.sweep.run import WRITING, InterruptedRunError, RunOutcome, draw
from semcom.checkpoints import find_codec
from semcom.children import start_module
from semcom.errors import (
    ProcessFailedError,
    SemcomError,
)
from semcom.evaluation_messages import (
    EncodedImages,
    EvaluatedPoint,
    EvaluationError,
    EvaluationJob,
    EvaluationLine,
    EvaluationPoint,
    EvaluationTask,
    parse_line,
)
from semcom.files import is_there
from semcom.kept_answers import FOLDER as ANSWERS
from semcom.messages import FrameResult
from semcom.stop_signals import Stopped, stop_requests, stopping_at_once

PROCESS = "orchestrator.training.evaluation_process"


class EvaluationWatcher(Protocol):
    """Is told of the progress."""

    def progress(self, recorded: int) -> None:
        """So many frames of the plan are in the ledger."""

    def encoding(self, codec: str, images: int, total: int) -> None:
        """So many images of `total` have been encoded by a codec."""


def run_evaluation(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    watcher: Callable[[Plan], EvaluationWatcher],
    command: Sequence[str] = (),
) -> RunOutcome:
    """Evaluate a scenario, or finish an evaluation of it; points that are there are kept.

    `command` holds the words that go on with it, see `orchestrator.results.resumption`.

    Raises:
        ConfigurationError: the folder holds a run, or the evaluation of something else.
        SemcomError: with the exit code that the error names.
    """
    started_s = time.monotonic()
    folders = folders.absolute()
    catalog = Catalog(folders.codecs)
    # Exact mode is what an evaluation is; merged frames are a matter of the receivers' process.
    scenario = scenario.model_copy(update={"decoding": "exact"})
    run = f"{scenario.name}.{secrets.token_hex(4)}"
    plan = make_plan(scenario, run=run, data_dir=folders.data, catalog=catalog)
    if is_read_only(folder) and is_there(folder / LEDGER):
        check_folder(folder, resume=True, evaluation=True)
        why = f"{folder} cannot be written; choose another folder with --out"
        return RunOutcome(folder, open_finished(folder, plan), None, 0.0, why)
    with alone_in(folder, folders.runs):
        check_folder(folder, resume=True, evaluation=True)
        codecs = facts_of_plan(plan, catalog)
        ledger = Ledger(folder / LEDGER, plan, tasks=tasks_of(codecs))
        try:
            answers = (folder / ANSWERS).absolute() if scenario.keep_answers else None
            recorder = _Recorder(ledger, folders, watcher(ledger.plan), answers_dir=answers)
            kind = {"kind": EVALUATION}
            if not recorder.complete:
                write_run_manifest(
                    folder, scenario, ledger.plan, codecs=codecs, command=command, results=kind
                )
            recorder.run()
            with stop_requests(WRITING):
                seconds = time.monotonic() - started_s
                digests = write_results(
                    ledger, scenario, codecs, seconds=seconds, command=command, more=kind
                )
                ledger.close()
                page, undrawn = draw(folder, write_report)
                ledger.check_place()
        finally:
            ledger.close()
    return RunOutcome(folder, digests.results, page, seconds, undrawn)


class _Recorder:
    """Has the missing points evaluated, and records each as soon as it is answered."""

    def __init__(
        self,
        ledger: Ledger,
        folders: Folders,
        watcher: EvaluationWatcher,
        *,
        answers_dir: Path | None,
    ) -> None:
        self._ledger = ledger
        self._answers_dir = answers_dir
        self._plan = ledger.plan
        self._watcher = watcher
        self._tasks = missing_tasks(self._plan, ledger.recorded_frames(), folders)
        self._recorded = sum(map(len, ledger.recorded_frames().values()))

    @property
    def complete(self) -> bool:
        """Whether no point is missing."""
        return not self._tasks

    def run(self) -> None:
        """Raises ProcessFailedError, InterruptedRunError."""
        self._watcher.progress(self._recorded)
        if not self._tasks:
            return
        job = EvaluationJob(
            frame_images=self._plan.frame_images,
            encoder_threads=self._plan.threads.transmitter,
            decoder_threads=self._plan.threads.receiver,
            engine=self._plan.engine,
            receiver_engine=self._plan.receiver_engine,
            answers_dir=self._answers_dir,
            tasks=self._tasks,
        )
        with evaluating_process(job) as lines:
            for line in lines:
                self._take(line)

    def _take(self, line: EvaluationLine) -> None:
        self._ledger.check_place()  # also while images are encoded
        match line:
            case EncodedImages():
                task = self._tasks[line.task]
                self._watcher.encoding(task.codec_dir.name, line.images, task.images)
            case EvaluatedPoint():
                task = self._tasks[line.task]
                results = list(_frame_results(self._plan, line))
                self._recorded += self._ledger.record(line.link, task.codec_digest, results)
                self._watcher.progress(self._recorded)
            case EvaluationError():
                raise ProcessFailedError(line.detail, line.exit_code)


def missing_tasks(
    plan: Plan, recorded: dict[tuple[int, str], set[int]], folders: Folders
) -> list[EvaluationTask]:
    """A task per link, or group of links, and codec, with those of its points that lack a frame."""
    tasks: list[EvaluationTask] = []
    groups = {group.links[0]: group.as_told(name, window=1) for name, group in plan.groups.items()}
    for name, link in plan.links.items():
        if plan.group_of(name) is not None and name not in groups:
            continue  # it is part of its group's task
        group = groups.get(name)
        members = [name] if group is None else group.links
        for variant, codec in enumerate(link.codecs):
            points = [
                EvaluationPoint(point=index, spec=plan.points[index].spec)
                for index in plan.points_of(name)
                if plan.points[index].variant == variant
                and any(
                    len(recorded.get((index, each), ())) < plan.frames(each) for each in members
                )
            ]
            if points:
                tasks.append(
                    EvaluationTask(
                        link=name,
                        group=group,
                        dataset_dir=folders.data / link.dataset,
                        dataset_digest=link.dataset_digest,
                        codec_dir=find_codec(folders.codecs, codec.name),
                        codec_digest=codec.digest,
                        images=link.images,
                        points=points,
                    )
                )
    return tasks


def _frame_results(plan: Plan, line: EvaluatedPoint) -> Iterator[FrameResult]:
    """A point's answers cut into the frames of the plan; they took no time on any link."""
    link = line.link
    if len(line.frames) != plan.frames(link):
        raise SemcomError(f"point {line.point} of link {link} came back with wrong totals")
    for frame, judged in enumerate(line.frames):
        yield FrameResult(
            point=line.point,
            frame=frame,
            images=plan.frame_size(link, frame),
            score=judged.score,
            answer=judged.answer,
            attempts=1,
            encode_ms=0.0,
            channel_ms=0.0,
            batch_wait_ms=0.0,
            decode_ms=0.0,
            round_trip_ms=0.0,
        )


@contextmanager
def evaluating_process(job: EvaluationJob) -> Iterator[Iterator[EvaluationLine]]:
    """The lines of an evaluating process, which ends with the block.

    Raises:
        InterruptedRunError: Ctrl-C or SIGTERM inside the block.
    """
    process = start_module(PROCESS, keep_memory=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        with stopping_at_once():
            yield _lines(process, job)
    except Stopped as stopped:
        raise InterruptedRunError("interrupted", stopped.exit_code) from stopped
    finally:
        process.terminate()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _lines(process: subprocess.Popen[bytes], job: EvaluationJob) -> Iterator[EvaluationLine]:
    assert process.stdin is not None
    assert process.stdout is not None
    # A process that ended at once reads nothing: its exit code tells more.
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(job.model_dump_json().encode())
    for line in process.stdout:
        try:
            yield parse_line(line)
        except ValueError as error:
            raise SemcomError(f"the evaluating process wrote what is no answer: {error}") from error
    if process.wait() != 0:
        raise SemcomError(f"the evaluating process ended with exit code {process.returncode}")
