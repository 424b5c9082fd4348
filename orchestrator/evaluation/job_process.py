"""A computing process: it gets one job after another, and answers line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from semcom.children import start_module
from semcom.errors import SemcomError
from semcom.evaluation_messages import EvaluationError, EvaluationLine, Finished, Line
from semcom.evaluation_messages import parse_line as parse

PROCESS = "orchestrator.training.evaluation_process"


class JobProcess:
    """The process; it ends with the block, or when this process ends."""

    def __init__(self, module: str = PROCESS) -> None:
        """Start it."""
        self._process = start_module(
            module, keep_memory=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        """Return it; it ends at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lines(self, job: Line) -> Iterator[EvaluationLine]:
        """Yield the answers to a job; the last line of a successful one is `Finished`.

        Raises:
            SemcomError: it ended, or wrote an invalid answer.
        """
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        # A process that ended at once reads nothing; its exit code is more informative.
        with suppress(BrokenPipeError):
            pipe.write(job.model_dump_json().encode() + b"\n")
            pipe.flush()
        for text in answers:
            try:
                line = parse(text)
            except ValueError as error:
                detail = f"the evaluating process wrote an invalid answer: {error}"
                raise SemcomError(detail) from error
            yield line
            if isinstance(line, Finished | EvaluationError):
                return
        code = self._process.wait()
        raise SemcomError(f"the evaluating process ended with exit code {code}")

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # unread requests
                    pipe.close()
        self._process.wait()
