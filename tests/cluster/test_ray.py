"""An evaluation on a Ray cluster of two nodes: nodes, drivers and keys are lost, the digest is not.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.run_folder import read_run_manifest
from orchestrator.results.verify import verify_run
from tests.cluster.ray_nodes import begun, cluster_of, driver, recorded
from tests.integration.harness import command, write_scenario

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

FRAMES = 40
POINTS = 52


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(
        tmp_path_factory.mktemp("scenario") / "s.yaml",
        links={"edge": {"dataset": "shapes10", "codec": "shapes10"}},
        snr_db=[each - 10 for each in range(POINTS // 2)],
        images=5 * FRAMES,
        frame_images=5,
    )


@pytest.fixture(scope="module")
def whole(scenario: Path, workplace: Path) -> str:
    """The results digest of one process."""
    folder = scenario.parent / "whole"
    code, printed = command("evaluate", scenario, "--out", folder, cwd=workplace)
    assert code == 0, printed
    return verify_run(folder).results_digest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(2) as made:
        yield made


def test_a_node_that_is_removed_changes_no_answer(
    scenario: Path, whole: str, workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with cluster_of(1) as made:
        lost = made.add_node(num_cpus=1)
        made.wait_for_nodes()
        with driver(scenario, folder, made.address, workplace) as process:
            assert begun(folder, process) < FRAMES * POINTS
            made.remove_node(lost, allow_graceful=False)
            printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    assert verify_run(folder).results_digest == whole


def test_a_driver_that_is_killed_goes_on_with_the_same_command(
    scenario: Path, whole: str, workplace: Path, tmp_path: Path, cluster: Any
) -> None:
    folder = tmp_path / "run"
    with driver(scenario, folder, cluster.address, workplace) as process:
        begun(folder, process)
        process.kill()
        process.wait()
    held = recorded(folder)
    assert 0 < held < FRAMES * POINTS
    with driver(scenario, folder, cluster.address, workplace) as process:
        printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    assert verify_run(folder).results_digest == whole
    stated = (read_run_manifest(folder) or {})["computed_by"]
    assert sum(each["frames"] for each in stated) == FRAMES * POINTS, "nothing was computed twice"


def test_ctrl_c_cancels_and_says_how_to_go_on(
    scenario: Path, workplace: Path, tmp_path: Path, cluster: Any
) -> None:
    folder = tmp_path / "run"
    with driver(scenario, folder, cluster.address, workplace) as process:
        begun(folder, process)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert f"--on {cluster.address}" in printed
    assert "resume with: semcom evaluate" in printed
    assert recorded(folder) < FRAMES * POINTS


def test_no_cluster_is_one_line(scenario: Path, workplace: Path, tmp_path: Path) -> None:
    with driver(scenario, tmp_path / "run", "127.0.0.1:9", workplace) as process:
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == 2, printed
    assert printed.splitlines()[-1].startswith("error: --on 127.0.0.1:9: no cluster answers")
