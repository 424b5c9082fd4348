"""Fixtures of the tests with real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import harness


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End the commands that a failed test left running; their children follow them."""
    yield
    while harness.started:
        process = harness.started.pop()
        if process.poll() is None:
            process.terminate()
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=harness.DEADLINE_S)
