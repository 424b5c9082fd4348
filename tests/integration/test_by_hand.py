"""Processes started one by one, by hand, in an order that nobody would choose."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.integration.by_hand import Starter, write_process_file
from tests.integration.harness import (
    DEADLINE_S,
    command,
    results_digest,
    start_sweep,
    write_scenario,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL: dict[str, object] = {
    "images": 100,
    "frame_images": 20,
    "snr_db": [0, 10],
}


def test_processes_dial_in_in_any_order_and_give_the_launched_digest(
    start_by_hand: Starter, workplace: Path, tmp_path: Path
) -> None:
    config, control = write_process_file(tmp_path / "processes.yaml", workplace)
    start_by_hand("transmitters", "shapes100", config)
    start_by_hand("receiver", "receiver-1", config)
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL, ports={"control": control})
    run = start_sweep(scenario, tmp_path / "run", "--no-launch", workplace=workplace)
    start_by_hand("channel_sim", "channel", config)
    start_by_hand("receiver", "receiver-2", config)
    start_by_hand("transmitters", "shapes10", config)
    run.finish()

    launched = write_scenario(tmp_path / "launched.yaml", **SMALL)
    start_sweep(launched, tmp_path / "launched", "--report", workplace=workplace).finish()
    assert "<h2>Accuracy</h2>" in (tmp_path / "launched" / "report.html").read_text()
    assert results_digest(tmp_path / "run") == results_digest(tmp_path / "launched")


@pytest.mark.parametrize("package", ["transmitters", "channel_sim", "receiver"])
def test_process_with_a_bad_setting_names_the_key_and_exits_with_2(
    package: str, start_by_hand: Starter, tmp_path: Path
) -> None:
    role = {"transmitters": "transmitter", "channel_sim": "channel"}.get(package, package)
    config = tmp_path / "bad.yaml"
    config.write_text(yaml.safe_dump({role: {"uplynk": 1}}))
    process = start_by_hand(package, "bad", config)
    assert process.wait(timeout=DEADLINE_S) == 2
    assert "Traceback" not in (tmp_path / "bad.log").read_text()


@pytest.mark.parametrize(
    ("package", "peer", "changes", "line"),
    [
        (
            "receiver",
            "receiver-1",
            {"receiver": {"mode": "throughput"}},
            "receiver receiver-1 computes with onnxruntime throughput on 1 thread, "
            "this run with onnxruntime exact on 1 thread",
        ),
        (
            "receiver",
            "receiver-1",
            {"receiver": {"engine": "torch"}},
            "receiver receiver-1 computes with torch exact on 1 thread, "
            "this run with onnxruntime exact on 1 thread",
        ),
        (
            "transmitters",
            "shapes10",
            {"transmitter": {"threads": 2}},
            "transmitter shapes10 computes with onnxruntime on 2 threads, "
            "this run with onnxruntime on 1 thread",
        ),
    ],
)
def test_process_that_rounds_differently_ends_the_run_with_2(
    package: str,
    peer: str,
    changes: dict[str, dict[str, object]],
    line: str,
    start_by_hand: Starter,
    workplace: Path,
    tmp_path: Path,
) -> None:
    config, control = write_process_file(tmp_path / "processes.yaml", workplace, **changes)
    start_by_hand(package, peer, config)
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL, ports={"control": control})
    arguments = ("sweep", scenario, "--out", tmp_path / "run", "--no-launch")
    code, printed = command(*arguments, cwd=workplace)
    assert code == 2
    assert line in " ".join(printed.split())
    # A transmitter that computes differently got no work; a receiver may have answered.
    doubted = package == "receiver"
    code, printed = command("verify", tmp_path / "run", cwd=workplace)
    assert (code, "doubtful" in printed) == (8, doubted), printed
    if doubted:
        code, printed = command(*arguments, "--resume", cwd=workplace)
        assert (code, "choose another --out" in printed) == (2, True), printed


def test_sweep_that_nobody_can_find_is_refused(workplace: Path, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL)
    arguments = ("sweep", scenario, "--out", tmp_path / "run", "--no-launch")
    code, printed = command(*arguments, cwd=workplace)
    assert code == 2
    assert not (tmp_path / "run").exists()
    assert "ports.control" in printed
