"""Both ends on ONNX Runtime: no torch in their processes, answers that can be repeated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.forking import fresh
from tests.integration.harness import (
    command,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.integration.test_exactness import predictions_of

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL = {"images": 200, "frame_images": 10, "snr_db": [-5, 0, 5], "engine": "torch"}
EDGE = {**SMALL, "engine": "onnxruntime", "receiver_engine": "onnxruntime"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(tmp_path_factory.mktemp("edge") / "s.yaml", **EDGE)


@pytest.fixture(scope="module")
def finished(scenario: Path, workplace: Path) -> Path:
    """A sweep; how its processes look is checked in the middle of it."""
    folder = scenario.parent / "run"
    with fresh():  # what it finds mapped is what its processes import
        run = start_held_sweep(scenario, folder, workplace=workplace, link="shapes10", frames=25)
    run.wait_recorded(25, "shapes10")
    libraries = {peer: libraries_of(run.pid(peer)) for peer in ("shapes10", "receiver-1")}
    run.finish()
    for found in libraries.values():
        assert "libtorch" not in found
        assert "onnxruntime" in found, "else this would show nothing"
    return folder


def libraries_of(pid: int) -> str:
    """The files that a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


def test_sweep_without_torch_at_the_edge_is_complete(finished: Path, workplace: Path) -> None:
    code, printed = command("verify", finished, cwd=workplace)
    assert code == 0, printed
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["engine"] == manifest["receiver_engine"] == "onnxruntime"
    assert "onnxruntime" in manifest["versions"]
    hosts = {each["process"]: each["fingerprint"] for each in manifest["computed_by"]}
    links = {f"transmitter {link}" for link in ("shapes10", "shapes100")}
    assert hosts.keys() == {"channel channel", "receiver receiver-1", *links}
    assert set(manifest["fingerprints"]) == set(hosts.values())


def test_evaluation_gives_the_answers_of_the_processes(
    finished: Path, scenario: Path, workplace: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "--scenario", scenario, "--out", tmp_path / "evaluated")
    code, printed = command(*words, cwd=workplace)
    assert code == 0, printed
    assert results_digest(tmp_path / "evaluated") == results_digest(finished)


def test_answers_are_those_of_torch_but_for_near_ties(
    finished: Path, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL)
    start_sweep(scenario, tmp_path / "run", workplace=workplace).finish()
    edge, plain = predictions_of(finished), predictions_of(tmp_path / "run")
    assert edge.keys() == plain.keys()
    assert all(len(np.unique(found)) > 5 for found in edge.values())
    differing = sum(int((edge[key] != plain[key]).sum()) for key in edge)
    assert differing <= sum(len(found) for found in edge.values()) // 500


def test_other_engine_is_another_plan(
    finished: Path, scenario: Path, workplace: Path, tmp_path: Path
) -> None:
    other = write_scenario(tmp_path / "s.yaml", **SMALL)
    code, printed = command("sweep", other, "--out", finished, "--resume", cwd=workplace)
    assert code == 2, printed
    assert "Traceback" not in printed


def test_missing_package_is_one_line_and_exit_code_2(
    scenario: Path, workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnxruntime.py").write_text(
        "raise ModuleNotFoundError('not here', name='onnxruntime')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2, printed
    assert "Traceback" not in printed
    [line] = [line for line in printed.splitlines() if line.startswith("error:")]
    assert "needs onnxruntime: pip install 'rkd-sc[edge]'" in line
