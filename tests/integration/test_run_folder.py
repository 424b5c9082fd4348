"""A run's folder while it runs: a second command is refused, a folder that goes ends the run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.harness import command, start_held_sweep, sweep_arguments, write_scenario
from tests.integration.test_errors import check

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINK = "shapes10"
SMALL: dict[str, object] = {
    "links": {LINK: {"dataset": LINK, "codec": LINK}},
    "snr_db": [5],
    "channels": [{"model": "awgn"}],
}


def test_second_command_is_told_who_has_the_run_and_a_new_folder_in_its_place_is_not_taken_for_it(
    workplace: Path, tmp_path: Path
) -> None:
    scenario, folder = write_scenario(tmp_path / "s.yaml", **SMALL), tmp_path / "run"
    run = start_held_sweep(scenario, folder, workplace=workplace, link=LINK, frames=5)
    run.wait_recorded(5)
    code, printed = command(*sweep_arguments(scenario, folder, "--resume"), cwd=workplace)
    assert code == 2, printed
    check(printed, f"in use by process {run.process.pid} (", "held_sweep.py")
    elsewhere = write_scenario(tmp_path / "o.yaml", **{**SMALL, "images": 5})
    shutil.rmtree(folder)
    command(*sweep_arguments(elsewhere, folder), cwd=workplace)
    printed = run.output()
    assert run.process.returncode == 7, printed
    check(printed, f"{folder} was deleted, moved or replaced")
    assert "results digest" not in printed
    code, printed = command("verify", folder, cwd=workplace)
    assert code == 0, printed
    assert "1 frames and 5 items, each exactly once" in printed
    assert f"answers judged again with the data set: {LINK}" in printed
