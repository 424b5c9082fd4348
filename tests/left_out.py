"""What of the suite was left out, and how to have it: said once, at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

COMPOSED = "the composed stack in containers: make test-compose, with a Docker engine"
CLUSTERED = "evaluations on a Ray cluster of two nodes: make test-cluster"


def left_out(skipped: Iterable[Any]) -> list[str]:
    """A line per reason for which tests were skipped."""
    counted = Counter(_reason(report) for report in skipped)
    return [f"{_tests(count)}: {reason}" for reason, count in sorted(counted.items())]


def _reason(report: Any) -> str:
    """Of a report of pytest's, as it is or as a worker has sent it."""
    found = report.longrepr
    text = found[-1] if isinstance(found, tuple | list) else str(found)
    return str(text).removeprefix("Skipped: ").strip()


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
