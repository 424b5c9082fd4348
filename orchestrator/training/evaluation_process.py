"""`python -m orchestrator.training.evaluation_process`: an evaluation; `semcom evaluate` starts it.

The job is read from stdin, answers are written to stdout point by point, see
`semcom/evaluation_messages.py`. Nothing is kept here: the orchestrator's ledger holds what was
answered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import torch
from pydantic import ValidationError

from orchestrator.training.reference import Answers, Symbols, decode_frames, encode_frames
from receiver.engine import codec_loader as decoder_loader
from semcom.checkpoints import open_checkpoint
from semcom.entry import run_process
from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError
from semcom.evaluation_messages import (
    EncodedImages,
    EvaluatedFrame,
    EvaluatedPoint,
    EvaluationError,
    EvaluationJob,
    EvaluationLine,
    EvaluationPoint,
    EvaluationTask,
)
from semcom.stop_signals import in_silence
from semcom.text_shards import AnyShard, open_shard
from transmitters.engine import codec_loader as encoder_loader


def run_job(job: EvaluationJob) -> Iterator[EvaluationLine]:
    """Work through all tasks, each codec by itself.

    Raises:
        SemcomError: a codec or a data set is not the one that was planned, or is damaged.
    """
    for number in range(len(job.tasks)):
        yield from TaskEvaluation(job, number).lines()


class TaskEvaluation:
    """One codec on one link: every image is encoded once, then sent at every point.

    With `tx_csi` codewords depend on the SNR: then they are made anew for every SNR, whose
    points come one after the other.
    """

    def __init__(self, job: EvaluationJob, number: int) -> None:
        self._job = job
        self._number = number
        self._task = job.tasks[number]
        checkpoint = open_checkpoint(self._task.codec_dir, expected_digest=self._task.codec_digest)
        encode = encoder_loader(job.engine, threads=job.encoder_threads)
        self._transmitter = encode(checkpoint)
        decode = decoder_loader(job.receiver_engine, device="cpu", threads=job.decoder_threads)
        self._receiver = decode(checkpoint)
        self._codec_task = checkpoint.manifest.task
        self._needs_snr = checkpoint.manifest.needs_snr
        self._shard = _planned_shard(self._task)

    def lines(self) -> Iterator[EvaluationLine]:
        """Progress while encoding, then an answer per point, by rising SNR."""
        encoded_for: float | None = None
        frames: list[Symbols] = []
        for point in sorted(self._task.points, key=lambda point: point.spec.snr_db):
            if not frames or (self._needs_snr and point.spec.snr_db != encoded_for):
                encoded_for, frames = point.spec.snr_db, []
                yield from self._encode(frames, point.spec.snr_db)
            yield self._answer(frames, point)

    def _encode(self, frames: list[Symbols], snr_db: float) -> Iterator[EncodedImages]:
        torch.set_num_threads(self._job.encoder_threads)
        images = 0
        for symbols_NK in encode_frames(
            self._transmitter,
            self._shard,
            images=self._task.images,
            frame_images=self._job.frame_images,
            snr_db=snr_db,
        ):
            frames.append(symbols_NK)
            images += len(symbols_NK)
            yield EncodedImages(task=self._number, images=images)

    def _answer(self, frames: list[Symbols], point: EvaluationPoint) -> EvaluatedPoint:
        torch.set_num_threads(self._job.decoder_threads)
        answers = decode_frames(
            self._receiver, self._codec_task, frames, point.spec, link=self._task.link
        )
        ends = np.cumsum([len(answers_N) for answers_N in answers])
        return EvaluatedPoint(
            task=self._number,
            point=point.point,
            frames=[
                self._judged(answers_N, slice(end - len(answers_N), end))
                for answers_N, end in zip(answers, ends, strict=True)
            ],
        )

    def _judged(self, answers: Answers, items: slice) -> EvaluatedFrame:
        task, shard = self._codec_task, self._shard
        references = shard.references(task, items)
        return EvaluatedFrame(
            score=dict(task.judge(answers, references)),
            answer=task.kept(task.form.format(answers)),
        )


def _planned_shard(task: EvaluationTask) -> AnyShard:
    shard = open_shard(task.dataset_dir, "test")
    if shard.digest != task.dataset_digest:
        raise ConfigurationError(f"data set {task.dataset_dir} is not the one that was planned")
    return shard


def main() -> int:
    """Read a job, write its answers; returns the exit code."""
    try:
        job = EvaluationJob.model_validate_json(sys.stdin.buffer.read())
        for line in run_job(job):
            _write(line)
    except ValidationError as error:
        detail = f"stdin holds no evaluation job: {error.errors()[0]['msg']}"
        _write(EvaluationError(exit_code=ConfigurationError.exit_code, detail=detail))
        return ConfigurationError.exit_code
    except SemcomError as error:
        _write(EvaluationError(exit_code=error.exit_code, detail=str(error)))
        return error.exit_code
    except BrokenPipeError:  # the orchestrator is gone: what it has, it has recorded
        return INTERRUPTED
    return 0


def _write(line: EvaluationLine) -> None:
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(run_process(main, say=in_silence))
