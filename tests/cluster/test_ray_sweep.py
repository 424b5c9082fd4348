"""A sweep whose processes are placed on a Ray cluster: nodes and drivers are lost, no answer is.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.control.process_sections import ChannelPlace
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import SystemSettings
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.verify import verify_run
from tests.cluster.ray_nodes import add_node, begun, cluster_of, driver, recorded
from tests.integration.harness import command, write_scenario

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
FRAMES = 2 * 6 * 80


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(tmp_path_factory.mktemp("scenario") / "s.yaml", images=400, window=2)


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


def places(folder: Path) -> dict[str, str]:
    """The node's address of each process, as last placed."""
    return {peer: records[-1]["node"] for peer, records in placed(folder).items()}


@pytest.mark.parametrize("peer", ["receiver-1", "channel"])
def test_a_node_is_lost_and_no_answer_changes(
    peer: str, scenario: Path, whole: str, workplace: Path, tmp_path: Path
) -> None:
    """The node of all receivers, or that of the channel, which others then find elsewhere."""
    folder = tmp_path / "run"
    with cluster_of(1, head_cpus=0) as made:
        nodes = {f"127.0.0.{3 + number}": add_node(made, number) for number in range(2)}
        made.wait_for_nodes()
        with driver(scenario, folder, made.address, workplace, command="sweep") as process:
            begun(folder, process)
            lost = places(folder)[peer]
            made.remove_node(nodes[lost], allow_graceful=False)
            assert recorded(folder) < FRAMES
            finished(process)
    assert len(placed(folder)[peer]) > 1
    assert places(folder)[peer] != lost
    assert verify_run(folder).results_digest == whole


def test_a_driver_that_is_killed_goes_on_with_the_same_command(
    scenario: Path, whole: str, workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with cluster_of(2) as made:
        with driver(scenario, folder, made.address, workplace, command="sweep") as process:
            begun(folder, process)
            process.kill()
            process.wait()
        held = frames(folder)
        assert 0 < len(held) < FRAMES
        with driver(scenario, folder, made.address, workplace, command="sweep") as process:
            finished(process)
    assert verify_run(folder).results_digest == whole
    assert held <= frames(folder), "what was committed was not computed again"
    log = (folder / "logs" / "receiver-1.jsonl").read_text()
    assert '"encrypted": true' in log, "the driver hands out keys"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_frames_finish_and_says_how_to_resume(
    number: signal.Signals, scenario: Path, workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with driver(scenario, folder, "ray", workplace, command="sweep") as process:
        begun(folder, process)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, printed
    assert "resume with: semcom sweep" in printed
    assert "--on ray" in printed
    assert 0 < recorded(folder) < FRAMES


def frames(folder: Path) -> set[tuple[object, ...]]:
    """Rows of the ledger, with the durations of each frame."""
    with open_ledger(folder) as ledger:
        return {(row.named_answer, *row.durations_ms) for row in ledger.rows()}


def test_no_cluster_is_one_line(scenario: Path, workplace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with driver(scenario, folder, "127.0.0.1:9", workplace, command="sweep") as process:
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == 2, printed
    assert printed.splitlines()[-1].startswith("error: --on 127.0.0.1:9: no cluster answers")


def test_a_receiver_gets_an_accelerator_where_the_scenario_says_so() -> None:
    from orchestrator.on_ray.placed_processes import (  # noqa: PLC0415 - needs Ray
        PlacedProcesses,
        actor_options,
    )

    assert actor_options("receiver", "cuda:1")["num_gpus"] == 1
    assert "num_gpus" not in actor_options("receiver", "cpu")
    assert "num_gpus" not in actor_options("transmitter", "cuda")
    assert actor_options("channel", "cpu")["max_restarts"] == -1
    settings = SystemSettings(name="s", device="cuda:1")
    placed = PlacedProcesses(settings, "tcp://127.0.0.1:1", Folders(), keys=lambda *_: {})
    assert placed.section("receiver", 0) is None, "its channel has no place yet"
    placed.places[0] = ChannelPlace("127.0.0.3", "127.0.0.3", 1, 2)
    section = placed.section("receiver", 0)
    assert section is not None
    assert section["device"] == "cuda", "Ray shows a process its own device alone"
    assert section["downlink"] == "tcp://127.0.0.3:2"
