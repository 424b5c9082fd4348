"""Answers of evaluating processes on their way into a ledger, with who computed them."""

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
    """Is told of the progress."""

    def progress(self, recorded: int) -> None:
        """So many frames of what is to be computed are in the ledger."""

    def encoding(self, codec: str, images: int, total: int) -> None:
        """So many images of `total` have been encoded by a codec."""

    def notice(self, text: str) -> None:
        """Something that a user should know, and that ends nothing."""


class Recorder:
    """Records what a process answers as soon as it is answered.

    Of several processes each has its own number from `begin`.
    """

    def __init__(
        self,
        ledger: Ledger,
        watcher: EvaluationWatcher,
        *,
        recorded: int = 0,
        part: str | None = None,
    ) -> None:
        """Take the frames that are there already, and of which part of an evaluation they are."""
        self._ledger = ledger
        self._watcher = watcher
        self._recorded = recorded
        self._part = part
        self._begun: Origin | None = None
        self._told: set[str] = set()  # fingerprints of which something was said
        watcher.progress(recorded)

    def take(self, line: EvaluationLine, job: EvaluationJob) -> None:
        """Take a line of the process that works on a job.

        Raises:
            ProcessFailedError: the process gave up.
            AccountingError: an answer differs from one that is there.
            StorageError: the disk refuses, or the ledger is not in its place any more.
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
        """Note who computes, and say so where that one rounds otherwise than another did."""
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
    """Return a point's answers as the frames of the plan; they took no time on any link."""
    frames = range(task.first, task.stop)
    if len(line.frames) != len(frames):
        raise SemcomError(f"point {line.point} of link {line.link} came back with wrong totals")
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
