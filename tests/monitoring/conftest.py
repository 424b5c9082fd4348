"""The system that all tests of this folder look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitoring.system import System, start_sweeping, stop_system


@pytest.fixture(scope="module")
def system(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A sweep that goes on for as long as it is looked at, and no longer: it keeps a core busy."""
    running = start_sweeping(workplace, tmp_path_factory.mktemp("system"))
    yield running
    stop_system(running)
