"""A sweep whose processes are placed on a Ray cluster: nodes and drivers are lost, no answer is.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.verify import verify_run
from tests.cluster.ray_nodes import begun, cluster_of, driver
from tests.integration.harness import command, write_scenario

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
FRAMES = 2 * 6 * 80


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(
        tmp_path_factory.mktemp("scenario") / "s.yaml", images=400, receivers=2, window=2
    )


@pytest.fixture(scope="module")
def whole(scenario: Path, workplace: Path) -> str:
    """The results digest of one process."""
    folder = scenario.parent / "whole"
    code, printed = command("evaluate", scenario, "--out", folder, cwd=workplace)
    assert code == 0, printed
    return verify_run(folder).results_digest


def placed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Where each process was placed so far, by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        text = (folder / "logs" / "orchestrator.jsonl").read_text()
    except FileNotFoundError:
        return found
    for line in text.rpartition("\n")[0].splitlines():
        record = json.loads(line)
        if record["event"] == "process placed":
            found.setdefault(record["peer"], []).append(record)
    return found


def finished(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    return printed


def test_the_node_of_all_receivers_is_lost_and_no_answer_changes(
    scenario: Path, whole: str, workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with (
        cluster_of(2) as made,
        driver(scenario, folder, made.address, workplace, command="sweep") as process,
    ):
        assert begun(folder, process) < FRAMES
        finished(process)
    print(placed(folder))
    assert verify_run(folder).results_digest == whole
