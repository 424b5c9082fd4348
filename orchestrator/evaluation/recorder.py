"""Record the answers of evaluating processes in a ledger, with their origins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from orchestrator.plan.plan import Plan
from orchestrator.results.ledger import Ledger
from orchestrator.results.origins import Computed, rounds_otherwise
from semcom.errors import ProcessFailedError, SemcomError
from semcom.evaluation_messages import (
    EncodedImages,
    EvaluatedPoint,
    EvaluationError,
    EvaluationJob,
    EvaluationLine,
    EvaluationTask,
    Evaluator,
    Finished,
)
from semcom.fingerprint import Origin, differences
from semcom.messages import FrameResult


class EvaluationWatcher(Protocol):
    """Gets the progress of an evaluation."""

    def progress(self, recorded: int) -> None:
        """Note how many of the frames to compute are in the ledger."""

    def encoding(self, codec: str, images: int, total: int) -> None:
        """Note how many items of `total` a codec has encoded."""

    def notice(self, text: str) -> None:
        """Note something that a user should know and that does not end the evaluation."""


class Recorder:
    """Records what a process answers as soon as it is answered.

    Each of several processes has its own number from `begin`.
    """

    def __init__(
        self,
        ledger: Ledger,
        watcher: EvaluationWatcher,
        *,
        recorded: int = 0,
        part: str | None = None,
    ) -> None:
        """Take the existing frames, and the part of an evaluation to which they belong."""
        self._ledger = ledger
        self._watcher = watcher
        self._recorded = recorded
        self._part = part
        self._begun: Origin | None = None
        self._told: set[str] = set()  # fingerprints that have been reported
        watcher.progress(recorded)

    def take(self, line: EvaluationLine, job: EvaluationJob) -> None:
        """Process a line of the process that works on a job.

        Raises:
            ProcessFailedError: the process failed.
            AccountingError: an answer differs from the recorded one.
            StorageError: the disk cannot be written, or the ledger was moved or deleted.
        """
        self._ledger.check_place()  # also while images are encoded
        match line:
            case Evaluator():
                self._begin(line.origin)
            case EncodedImages():
                task = job.tasks[line.task]
                total = len(job.images_of(task))
                self._watcher.encoding(task.codec_dir.name, line.images, total)
            case EvaluatedPoint():
                self._record(line, job.tasks[line.task])
            case Finished():
                pass
            case EvaluationError():
                raise ProcessFailedError(line.detail, line.exit_code)

    def _begin(self, origin: Origin) -> None:
        """Note the computing host, and report it if it rounds differently from an earlier one."""
        begun = origin.model_copy(update={"part": self._part})
        if begun == self._begun:
            return
        self._begun = begun
        own = begun.fingerprint.digest
        others = [] if own in self._told else self._ledger.origins.all().values()
        self._told.add(own)
        for other in others:
            if differing := differences(begun.fingerprint, other.fingerprint):
                self._watcher.notice(rounds_otherwise(begun, other, differing))
                break
        with self._ledger.transaction():
            self._ledger.origins.add(begun)

    def _record(self, line: EvaluatedPoint, task: EvaluationTask) -> None:
        results = list(_frame_results(self._ledger.plan, line, task))
        with self._ledger.transaction():
            new = self._ledger.record(line.link, task.codec_digest, results)
            if new and self._begun is not None:
                span = Computed(line.link, line.point, task.first, task.stop)
                self._ledger.origins.add(self._begun, [span])
        self._recorded += new
        self._watcher.progress(self._recorded)


def _frame_results(plan: Plan, line: EvaluatedPoint, task: EvaluationTask) -> Iterator[FrameResult]:
    """Return a point's answers as frames of the plan, without durations of a link."""
    frames = range(task.first, task.stop)
    if len(line.frames) != len(frames):
        raise SemcomError(f"point {line.point} of link {line.link} was computed with wrong totals")
    for frame, judged in zip(frames, line.frames, strict=True):
        yield FrameResult(
            point=line.point,
            frame=frame,
            images=plan.frame_size(line.link, frame),
            score=judged.score,
            answer=judged.answer,
            attempts=1,
            encode_ms=0.0,
            channel_ms=0.0,
            batch_wait_ms=0.0,
            decode_ms=0.0,
            round_trip_ms=0.0,
        )
