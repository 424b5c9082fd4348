"""A channel model of somebody else's package, installed by pip as its README says, in a sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.integration.harness import REPO, SEMCOM, results_digest, skip_without

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

EXAMPLE = REPO / "examples" / "own_channel"
SCENARIO = EXAMPLE / "scenario.yaml"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip has installed the example into; its build leaves nothing in the repo."""
    skip_without(setuptools=77)
    folder = tmp_path_factory.mktemp("own")
    source, target = folder / "source", folder / "site"
    source.mkdir()
    for name in ("pyproject.toml", "shadowing.py", "README.md"):
        (source / name).write_text((EXAMPLE / name).read_text())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run(
        [*pip, *options, str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return target


def semcom(*arguments: str | Path, cwd: Path, site: Path | None) -> tuple[int, str]:
    """Run a command; with the package in the way of imports where `site` is given."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    paths = [str(REPO), *([] if site is None else [str(site)])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    done = subprocess.run(
        [*SEMCOM, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=400,
    )
    return done.returncode, done.stdout


def test_sweep_of_an_installed_model_gives_the_same_answers_twice(
    installed: Path, workplace: Path, tmp_path: Path
) -> None:
    for run in ("first", "second"):
        arguments = ("sweep", SCENARIO, "--out", tmp_path / run, "--no-report")
        code, printed = semcom(*arguments, cwd=workplace, site=installed)
        assert code == 0, printed
    assert results_digest(tmp_path / "first") == results_digest(tmp_path / "second")
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    assert manifest["scenario"]["channels"] == [
        {"model": "shadowing", "settings": {"sigma_db": 8.0}},
        {"model": "shadowing", "settings": {"sigma_db": 8.0, "csi": "none"}},
    ]


def test_without_the_package_the_scenario_is_one_line(workplace: Path, tmp_path: Path) -> None:
    code, printed = semcom("sweep", SCENARIO, "--out", tmp_path / "run", cwd=workplace, site=None)
    assert code == 2
    (line,) = [line for line in printed.splitlines() if line.startswith("error:")]
    for word in ("channels.0.model", "'shadowing'", "awgn", "tdl", "rkd_sc.channels"):
        assert word in line
    assert "Traceback" not in printed


def test_mean_power_of_the_example_is_one_and_its_spread_is_sigma(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from shadowing import ShadowingChannel  # noqa: PLC0415 - importable only from here on

    from channel_sim.models.model import Streams  # noqa: PLC0415

    streams = Streams(seed=0, link="a", point="p", first_item=0, items=40_000)
    gains = ShadowingChannel(sigma_db=4.0).draw(streams, symbols=8)
    assert gains.shape == (40_000, 1)
    assert np.mean(np.abs(gains) ** 2) == pytest.approx(1.0, abs=0.03)
    assert np.std(20.0 * np.log10(np.abs(gains))) == pytest.approx(4.0, abs=0.05)
