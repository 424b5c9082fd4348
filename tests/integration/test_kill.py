"""kill -9 of any one process in mid-sweep: the results digest is that of an undisturbed run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.harness import (
    Run,
    command,
    ended,
    eventually,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.integration.pages import metric

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINK, LINK_FRAMES = "shapes10", 6 * 50


@pytest.fixture(scope="module")
def undisturbed(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("undisturbed")
    run = start_sweep(write_scenario(folder / "s.yaml"), folder / "run", workplace=workplace)
    run.finish()
    return results_digest(folder / "run")


@pytest.fixture
def disturb(workplace: Path, tmp_path: Path) -> Callable[[Path], Run]:
    """Starts a sweep and waits until a fifth of a link is done; at two fifths it stands still."""

    def start(scenario: Path) -> Run:
        run = start_held_sweep(
            scenario,
            tmp_path / "run",
            workplace=workplace,
            link=LINK,
            frames=2 * LINK_FRAMES // 5,
        )
        run.wait_recorded(LINK_FRAMES // 5, LINK)
        return run

    return start


def check_mid_sweep(run: Run) -> None:
    """The link has frames behind it and frames before it."""
    assert LINK_FRAMES // 5 <= run.recorded(LINK) < LINK_FRAMES


@pytest.mark.parametrize("victim", [LINK, "channel", "receiver-1"])
def test_killing_a_process_in_mid_sweep_changes_no_answer(
    victim: str,
    undisturbed: str,
    disturb: Callable[[Path], Run],
    workplace: Path,
    tmp_path: Path,
) -> None:
    run = disturb(write_scenario(tmp_path / "s.yaml"))
    before = run.pid(victim)
    run.kill(victim)
    check_mid_sweep(run)
    run.finish()
    assert run.pid(victim) != before, "the process was not started again"
    assert results_digest(tmp_path / "run") == undisturbed
    assert command("verify", tmp_path / "run", cwd=workplace)[0] == 0


def test_a_killed_orchestrator_takes_its_processes_along_and_resumes(
    undisturbed: str, disturb: Callable[[Path], Run], workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml")
    run = disturb(scenario)
    children = [run.pid(peer) for peer in ("shapes10", "shapes100", "channel", "receiver-1")]
    run.process.kill()
    run.output()
    check_mid_sweep(run)
    for child in children:
        eventually(lambda child=child: ended(child), f"process {child} follows its orchestrator")

    assert command("verify", tmp_path / "run", cwd=workplace)[0] == 8
    resumed = start_sweep(scenario, tmp_path / "run", "--resume", workplace=workplace)
    resumed.finish()
    assert results_digest(tmp_path / "run") == undisturbed


def test_one_of_two_receivers_killed_changes_no_answer(
    undisturbed: str, disturb: Callable[[Path], Run], tmp_path: Path
) -> None:
    run = disturb(write_scenario(tmp_path / "s.yaml", receivers=2))

    def serving() -> list[str]:
        both = ("receiver-1", "receiver-2")
        return [peer for peer in both if metric(run, peer, "semcom_images_decoded_total") > 0]

    eventually(lambda: bool(serving()), "a receiver that has answered")
    run.kill(serving()[-1])
    check_mid_sweep(run)
    run.finish()
    assert results_digest(tmp_path / "run") == undisturbed


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_drains_says_how_to_resume_and_loses_nothing(
    asked: signal.Signals,
    code: int,
    undisturbed: str,
    disturb: Callable[[Path], Run],
    workplace: Path,
    tmp_path: Path,
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml")
    run = disturb(scenario)
    os.kill(run.process.pid, asked)
    check_mid_sweep(run)
    printed = run.output()
    assert run.process.returncode == code
    assert "--resume" in printed
    assert "Traceback" not in printed
    start_sweep(scenario, tmp_path / "run", "--resume", workplace=workplace).finish()
    assert results_digest(tmp_path / "run") == undisturbed
