"""kill -9 of any one process in mid-sweep, and SIGSTOP for 10 s with SIGCONT."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.results.ledger import FrameRow
from tests.faults.plant import LINK, RECEIVERS, Plant, let_go, stopped
from tests.integration.harness import eventually

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

STOPPED_S = 10.0
ORCHESTRATOR = "orchestrator"


@pytest.mark.parametrize("victims", [(LINK,), ("channel",), RECEIVERS[:1], RECEIVERS], ids=str)
def test_killed_process_that_is_started_again_changes_no_answer(
    victims: tuple[str, ...], plant: Plant, undisturbed: list[FrameRow], tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        for victim in victims:
            plant.kill(victim)
        let_go(run)
        run.finish()
    plant.check(tmp_path / "run", undisturbed)


def test_killed_orchestrator_resumes_with_the_processes_that_live(
    plant: Plant, undisturbed: list[FrameRow], tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        run.process.kill()
        run.output()
        plant.resume(run)
    plant.check(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("victims", [(LINK,), ("channel",), RECEIVERS, (ORCHESTRATOR,)], ids=str)
def test_process_stopped_for_10_s_changes_no_answer(
    victims: tuple[str, ...], plant: Plant, undisturbed: list[FrameRow], tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        with ExitStack() as stack:
            for victim in victims:
                pid = run.process.pid if victim == ORCHESTRATOR else plant.pid(victim)
                stack.enter_context(stopped(pid))
            # What was answered before is recorded all the same: the sweep may end meanwhile.
            assert run.process.poll() is None, run.output()
            let_go(run)
            until_s = time.monotonic() + STOPPED_S
            eventually(lambda: time.monotonic() >= until_s, "10 s have passed")
        run.finish()
    plant.check(tmp_path / "run", undisturbed)
