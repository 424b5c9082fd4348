"""A worker of an engine: computes one unit after another with a persistent process.

The process keeps torch and the codec of the last unit loaded, so that neither is loaded for each
unit.
"""

from __future__ import annotations

from orchestrator.evaluation.job_process import JobProcess
from semcom.evaluation_messages import EncodedImages, EvaluationError, EvaluationJob

_kept: list[JobProcess] = []  # at most one; an engine's worker computes one unit at a time


def compute_unit(job: str) -> list[str]:
    """Compute a job, an `EvaluationJob` in JSON; return its lines without those of progress.

    Raises:
        SemcomError: the process died; another attempt may succeed.
    """
    asked = EvaluationJob.model_validate_json(job)
    process = _kept.pop() if _kept else JobProcess()
    try:
        lines = [line for line in process.lines(asked) if not isinstance(line, EncodedImages)]
    except BaseException:
        process.close()
        raise
    if isinstance(lines[-1], EvaluationError):  # it has ended with it
        process.close()
    else:
        _kept.append(process)
    return [line.model_dump_json() for line in lines]
