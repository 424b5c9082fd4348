"""`semcom evaluate --on ray`: the units of an evaluation as tasks of a Ray cluster.

The driver's ledger is the only state: a unit is recorded as soon as it comes back, so the same
command resumes after whatever ended the driver, and a task that a lost node took along is tried
again elsewhere.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.evaluation.unit_worker import compute_unit
from orchestrator.on_ray.connection import connection, last_line
from semcom.errors import SemcomError
from semcom.evaluation_messages import EvaluationJob, EvaluationLine, parse_line

ATTEMPTS = 5  # of a unit, on whichever nodes
AHEAD = 2  # units at a worker, so that it need not wait for the driver
POLL_S = 1.0


class UnitLostError(SemcomError):
    """A unit was not computed, however often it was tried."""


class RayCluster:
    """A cluster that is connected to."""

    def __init__(self, *, threads: int) -> None:
        """Take how many threads a unit computes with."""
        self._threads = threads
        options = {"num_cpus": threads, "max_retries": ATTEMPTS - 1, "retry_exceptions": True}
        self._compute = ray.remote(**options)(compute_unit)

    @property
    def workers(self) -> int:
        """Return how many units are computed at once."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)) // self._threads)

    def compute(
        self, jobs: Sequence[EvaluationJob]
    ) -> Generator[tuple[EvaluationJob, list[EvaluationLine]]]:
        """Yield each job with its lines, in the order in which they are finished.

        Ray ends what is under way when this process leaves the cluster. Tasks are not cancelled one
        by one: Ray 2.60 aborts the process where one is finished at that moment.

        Raises:
            UnitLostError: a unit was lost time and again.
        """
        waiting = list(reversed(jobs))
        under_way: dict[Any, EvaluationJob] = {}
        try:
            while waiting or under_way:
                while waiting and len(under_way) < AHEAD * self.workers:
                    job = waiting.pop()
                    under_way[self._compute.remote(job.model_dump_json())] = job
                done, _ = ray.wait(list(under_way), timeout=POLL_S)
                for each in done:
                    yield under_way.pop(each), _lines(each)
        except RayError as error:
            raise UnitLostError(f"the cluster does not answer: {last_line(error)}") from error


@contextmanager
def connected(address: str, threads: int, *, workers: int | None = None) -> Iterator[RayCluster]:
    """Connect to the cluster at an address, see `connection`; units compute with `threads`.

    A cluster that is started here has so many `workers`, as many as processors if left out.

    Raises:
        ConfigurationError: there is no cluster.
    """
    with connection(address, cpus=None if workers is None else workers * threads):
        yield RayCluster(threads=threads)


def _lines(reference: Any) -> list[EvaluationLine]:
    try:
        return [parse_line(text.encode()) for text in ray.get(reference)]
    except RayError as error:
        raise UnitLostError(f"a unit was lost {ATTEMPTS} times: {last_line(error)}") from error
    except ValueError as error:
        raise SemcomError(f"a worker wrote what is no answer: {last_line(error)}") from error
