"""Fixtures of the tests with faults: the undisturbed run, and no process left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ledger import FrameRow
from tests.faults.plant import SWEEP, rows_of
from tests.integration.conftest import no_process_is_left
from tests.integration.harness import start_sweep, write_scenario

__all__ = ["no_process_is_left"]


@pytest.fixture(scope="session")
def undisturbed(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> list[FrameRow]:
    """The ledger of the sweep that the tests disturb, when nobody disturbs it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    scenario = write_scenario(folder / "s.yaml", **SWEEP)
    start_sweep(scenario, folder / "run", workplace=workplace).finish()
    return rows_of(folder / "run")
