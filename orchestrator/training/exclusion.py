"""Mutual exclusion of jobs that train the same stage, and agreement between the ranks of a job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from orchestrator.training.artefacts import Artefact
from orchestrator.training.loop import Run
from orchestrator.training.ranks import all_equal, any_rank
from semcom.errors import CheckpointError

WAIT_S = 0.5  # between two attempts to enter a stage that another job trains


def check_ranks_agree(name: str, made: Artefact, run: Run) -> None:
    """Check that hosts have the same files; otherwise they would train different models as one.

    Raises:
        CheckpointError: the ranks' inputs of the stage differ.
    """
    number = int(made.digest[:15], 16)  # fits into int64
    if not all_equal([number], run.rank, run.device):
        raise CheckpointError(
            f"{name}: the hosts differ in their data set, settings, teacher's weights or codec"
        )


@contextmanager
def alone_in(made: Artefact, run: Run) -> Iterator[None]:
    """Wait until no other job trains the stage, and lock it.

    Raises:
        StoppedError: it was asked to stop while waiting.
    """
    waited = False
    with ExitStack() as held:
        while True:
            file = made.lock() if run.rank.index == 0 else None
            if file is not None:
                held.enter_context(file)
            if any_rank(file is not None, run.rank, run.device):
                break
            waited = True
            run.reporter.note("waiting", 0, 1)  # for another job that trains the same stage
            run.stop_if_asked()
            time.sleep(WAIT_S)
        if waited:
            run.reporter.note("waiting", 1, 1)
        yield
