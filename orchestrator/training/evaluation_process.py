"""`python -m orchestrator.training.evaluation_process`: an evaluation; `semcom evaluate` starts it.

Jobs are read from stdin, answers are written to stdout point by point, see
`semcom/evaluation_messages.py`; it ends with its stdin. Nothing is kept here: the orchestrator's
ledger holds what was answered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pydantic import ValidationError

from orchestrator.training.evaluator import evaluator_of
from orchestrator.training.last_codec import LastCodec
from orchestrator.training.task_evaluation import evaluation_of
from semcom.entry import run_process
from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError
from semcom.evaluation_messages import (
    EvaluationError,
    EvaluationJob,
    EvaluationLine,
    Finished,
)
from semcom.stop_signals import in_silence


def run_job(job: EvaluationJob, codecs: LastCodec | None = None) -> Iterator[EvaluationLine]:
    """Say who computes, then work through all tasks, each codec by itself.

    Args:
        job: what is asked for.
        codecs: what keeps the last codec, where several jobs follow one another.

    Raises:
        SemcomError: a codec or a data set is not the one that was planned, or is damaged.
    """
    codecs = LastCodec() if codecs is None else codecs
    yield evaluator_of(job)
    for number in range(len(job.tasks)):
        yield from evaluation_of(job, number, codecs).lines()


def main() -> int:
    """Read jobs, a line each, and write their answers; returns the exit code."""
    codecs = LastCodec()
    try:
        for text in sys.stdin.buffer:
            for line in run_job(EvaluationJob.model_validate_json(text), codecs):
                _write(line)
            _write(Finished())
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
