"""Serves jobs from stdin, one per line, with lines of answers on stdout.

Used by the processes of `semcom evaluate` and `semcom measure`, which end with their stdin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError
from semcom.evaluation_messages import EvaluationError, EvaluationLine, Finished

Job = TypeVar("Job", bound=BaseModel)


def serve_jobs(
    kind: type[Job], answer: Callable[[Job], Iterator[EvaluationLine]], *, called: str
) -> int:
    """Answer every job, and report after each that it is finished; return the exit code.

    Args:
        kind: type of the jobs.
        answer: yields the lines of a job's answer.
        called: name of a job in messages.
    """
    try:
        for text in sys.stdin.buffer:
            for line in answer(kind.model_validate_json(text)):
                _write(line)
            _write(Finished())
    except ValidationError as error:
        detail = f"stdin holds no {called}: {error.errors()[0]['msg']}"
        _write(EvaluationError(exit_code=ConfigurationError.exit_code, detail=detail))
        return ConfigurationError.exit_code
    except SemcomError as error:
        _write(EvaluationError(exit_code=error.exit_code, detail=str(error)))
        return error.exit_code
    except BrokenPipeError:  # the orchestrator has ended; it has stored what it received
        return INTERRUPTED
    return 0


def _write(line: EvaluationLine) -> None:
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()
