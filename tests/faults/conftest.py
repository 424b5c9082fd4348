"""Fixtures of the tests with faults: the plant, the undisturbed run, and no process left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.ledger import FrameRow
from tests.faults.plant import SWEEP, Plant, rows_of
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


@pytest.fixture(scope="session")
def plant(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Processes that every test of this folder disturbs, one sweep after the other."""
    with Plant(tmp_path_factory.mktemp("plant"), workplace) as running:
        yield running
