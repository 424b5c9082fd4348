"""`semcom evaluate --on ray`: the units of an evaluation as tasks of a Ray cluster.

The driver's ledger is the only state: a unit is recorded as soon as it returns, so the same command
resumes however the driver ended, and a task that is lost with its node is retried elsewhere.
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

ATTEMPTS = 5  # attempts of a unit, on any nodes
AHEAD = 2  # units queued per worker, so that it need not wait for the driver
POLL_S = 1.0


class UnitLostError(SemcomError):
    """A unit could not be computed after several attempts."""


class RayCluster:
    """A connected cluster."""

    def __init__(self, *, threads: int) -> None:
        """Set the number of threads of a unit."""
        self._threads = threads
        options = {"num_cpus": threads, "max_retries": ATTEMPTS - 1, "retry_exceptions": True}
        self._compute = ray.remote(**options)(compute_unit)

    @property
    def workers(self) -> int:
        """Return how many units are computed at the same time."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)) // self._threads)

    def compute(
        self, jobs: Sequence[EvaluationJob]
    ) -> Generator[tuple[EvaluationJob, list[EvaluationLine]]]:
        """Yield each job with its lines, in the order in which they are finished.

        Ray ends running tasks when this process disconnects. Tasks are not cancelled one by one,
        because Ray 2.60 aborts the process if a task finishes at that moment.

        Raises:
            UnitLostError: a unit was lost repeatedly.
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

    A cluster that is started here has this many `workers`, by default one per processor.

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
        raise SemcomError(f"a worker wrote an invalid answer: {last_line(error)}") from error
