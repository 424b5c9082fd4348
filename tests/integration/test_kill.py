"""kill -9 of any one process in mid-sweep: the results digest is that of an undisturbed run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.harness import (
    command,
    ended,
    eventually,
    results_digest,
    start_sweep,
    write_scenario,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

FRAMES = 2 * 6 * 100


@pytest.fixture(scope="module")
def undisturbed(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("undisturbed")
    run = start_sweep(write_scenario(folder / "s.yaml"), folder / "run", workplace=workplace)
    run.finish()
    return results_digest(folder / "run")


@pytest.mark.parametrize("victim", ["shapes10", "channel", "receiver-1"])
def test_killing_a_process_in_mid_sweep_changes_no_answer(
    victim: str, undisturbed: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml")
    run = start_sweep(scenario, tmp_path / "run", workplace=workplace)
    run.wait_recorded(FRAMES // 5)
    before = run.pid(victim)
    run.kill(victim)
    run.finish()
    assert run.pid(victim) != before, "the process was not started again"
    assert results_digest(tmp_path / "run") == undisturbed
    assert command("verify", tmp_path / "run", cwd=workplace)[0] == 0


def test_a_killed_orchestrator_takes_its_processes_along_and_resumes(
    undisturbed: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml")
    run = start_sweep(scenario, tmp_path / "run", workplace=workplace)
    run.wait_recorded(FRAMES // 5)
    children = [run.pid(peer) for peer in ("shapes10", "shapes100", "channel", "receiver-1")]
    run.process.kill()
    run.output()
    recorded = run.recorded()
    assert 0 < recorded < FRAMES
    for child in children:
        eventually(lambda child=child: ended(child), f"process {child} follows its orchestrator")

    assert command("verify", tmp_path / "run", cwd=workplace)[0] == 8
    resumed = start_sweep(scenario, tmp_path / "run", "--resume", workplace=workplace)
    resumed.finish()
    assert results_digest(tmp_path / "run") == undisturbed


def test_one_of_two_receivers_killed_changes_no_answer(
    undisturbed: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", receivers=2)
    run = start_sweep(scenario, tmp_path / "run", workplace=workplace)
    run.wait_recorded(FRAMES // 5)
    run.kill("receiver-2")
    run.finish()
    assert results_digest(tmp_path / "run") == undisturbed


def test_ctrl_c_drains_says_how_to_resume_and_loses_nothing(
    undisturbed: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml")
    run = start_sweep(scenario, tmp_path / "run", workplace=workplace)
    run.wait_recorded(FRAMES // 5)
    os.kill(run.process.pid, signal.SIGINT)
    printed = run.output()
    assert run.process.returncode == 130
    assert "--resume" in printed
    assert "Traceback" not in printed
    start_sweep(scenario, tmp_path / "run", "--resume", workplace=workplace).finish()
    assert results_digest(tmp_path / "run") == undisturbed
