"""Every command and every process without a package of its extra: one line, exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import main as cli
from semcom.extras import BASE, EXTRAS, IMPORTED_AS, LATE
from tests.integration.harness import REPO, command, write_scenario

HIDING = Path(__file__).with_name("hidden")
PROCESSES = {  # module: extra, whether it speaks JSON
    "transmitters": ("transmitter", True),
    "channel_sim": ("channel", True),
    "receiver": ("receiver", True),
    "orchestrator.jobs": ("orchestrator", True),
    "orchestrator": ("orchestrator", False),
    "orchestrator.training": ("training", False),
    "orchestrator.training.loop_timing": ("training", False),
    "orchestrator.training.encoder_timing": ("training", False),
    "orchestrator.training.evaluation_process": ("training", False),
    "orchestrator.training.footprint": ("training", False),
    "orchestrator.training.offline": ("training", False),
}
# Which engine they need transmitters and receivers learn from settings (test_edge_engine.py).
UNCHECKED = {
    ("transmitters", "torch"),
    ("receiver", "torch"),
    *(("orchestrator.training", name) for name in LATE),
}
CASES = [
    (module, package)
    for module, (extra, _) in PROCESSES.items()
    for package in (
        [*EXTRAS[extra], BASE[-1]] if module.count(".") < 2 else ["torch"]  # one room, one check
    )
    if (module, package) not in UNCHECKED
]


def hiding(*packages: str) -> dict[str, str]:
    """An environment in which a Python does not find these packages."""
    modules = ",".join(IMPORTED_AS.get(package, package) for package in packages)
    return {"PYTHONPATH": os.pathsep.join([str(HIDING), str(REPO)]), "HIDDEN": modules}


@pytest.mark.parametrize(("module", "package"), CASES, ids="-".join)
def test_process_without_a_package_says_what_to_install(
    module: str, package: str, tmp_path: Path
) -> None:
    extra, speaks_json = PROCESSES[module]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=tmp_path,
        env=os.environ | hiding(package),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    text = json.loads(line)["event"] if speaks_json else line
    assert f" needs {package}: pip install 'rkd-sc[{extra}]'" in text


@pytest.mark.parametrize(
    ("arguments", "package"),
    [
        ("train shapes10", "torch"),
        ("train --help", "torch"),
        ("search shapes10", "torch"),
        ("evaluate shapes10", "torch"),
        ("footprint shapes10", "torch"),
        ("jobs submit shapes10", "torch"),
        ("bench run pipeline", "torch"),
        ("bench run channel", "numba"),
        ("bench run encoder", "onnxruntime"),
    ],
)
def test_command_asks_for_an_extra_before_it_does_anything(
    arguments: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["semcom", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert f" needs {package}: pip install 'rkd-sc[" in line
    assert not any(tmp_path.iterdir())


def test_package_that_is_imported_late_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "orchestrator.bench.plot", raising=False)
    monkeypatch.setattr(sys, "argv", ["semcom", "bench", "report", str(REPO / "docs/performance")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line == "error: semcom needs matplotlib: pip install 'rkd-sc[orchestrator]'"


@pytest.mark.processes
@pytest.mark.timeout(900)
def test_sweep_without_a_package_of_a_process_ends_with_its_line(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", receiver_engine="torch")
    for name, value in hiding("torch").items():
        monkeypatch.setenv(name, value)
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2, printed
    [line] = [line for line in printed.splitlines() if line.startswith("error:")]
    said = "engine torch needs torch: pip install 'rkd-sc[receiver]', or set another engine"
    assert line.endswith(said)
