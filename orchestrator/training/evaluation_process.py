"""`python -m orchestrator.training.evaluation_process`: an evaluation; `semcom evaluate` starts it.

Jobs are read from stdin, and answers are written to stdout point by point; see
`semcom/evaluation_messages.py`. It ends with its stdin. Nothing is stored here: answers are in the
orchestrator's ledger.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from orchestrator.training.evaluator import evaluator_of
from orchestrator.training.job_lines import serve_jobs
from orchestrator.training.last_codec import LastCodec
from orchestrator.training.task_evaluation import evaluation_of
from semcom.entry import run_process
from semcom.evaluation_messages import EvaluationJob, EvaluationLine
from semcom.stop_signals import in_silence


def run_job(job: EvaluationJob, codecs: LastCodec | None = None) -> Iterator[EvaluationLine]:
    """Report the host, then process all tasks, codec by codec.

    Args:
        job: the job.
        codecs: cache of the last codec, for several jobs in succession.

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
    return serve_jobs(EvaluationJob, lambda job: run_job(job, codecs), called="evaluation job")


if __name__ == "__main__":
    sys.exit(run_process(main, say=in_silence))
