"""The wheel, made from the sdist: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
import yaml

from orchestrator.results.verify import verify_run
from tests.integration.harness import REPO, skip_without, write_scenario
from tests.integration.test_missing_packages import hiding

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

ROOMS = ("semcom", "transmitters", "channel_sim", "receiver", "orchestrator")
SHIPPED = ("codecs", "scenarios")
DATA = tuple(f"semcom/{folder}/" for folder in SHIPPED)
FILES = ("README.md", "LICENSE", "pyproject.toml", "setup.py", "constraints.txt", "Makefile")
NEVER = shutil.ignore_patterns("__pycache__", "*.egg-info")
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module", autouse=True)
def builders() -> None:
    """Skip where a checkout was installed without what builds it."""
    skip_without(build=1, setuptools=77)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheel` makes, from a copy: a build leaves files behind."""
    source = tmp_path_factory.mktemp("source")
    for folder in (*ROOMS, *SHIPPED, "tests", "docs", "docker"):
        shutil.copytree(REPO / folder, source / folder, ignore=NEVER)
    for name in FILES:
        shutil.copy(REPO / name, source)
    out = source / "dist"
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "importable package" not in done.stderr, "setuptools found data that is not named"
    assert {path.suffix for path in out.iterdir()} == {".gz", ".whl"}
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel, and the packages that are installed here beside it."""

    folder: Path
    away: Path

    def run(self, program: str, *arguments: object, **environment: str) -> tuple[int, str]:
        """Run one of its programs, in an empty folder; exit code and all that it prints."""
        done = subprocess.run(
            [self.folder / "bin" / program, *map(str, arguments)],
            cwd=self.away,
            env={name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
            | {"COLUMNS": "200", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in a new environment; nothing is downloaded, and nothing can be written into it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    site = Path(paths["purelib"])
    # Folders that a .pth names: their own .pth files, as that of an editable checkout, do nothing.
    others = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    (site / "beside.pth").write_text("\n".join(others))
    command = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install"]
    quiet = ["--quiet", "--disable-pip-version-check", "--ignore-installed", "--no-compile"]
    subprocess.run([*command, *quiet, "--no-index", "--no-deps", wheel], check=True)
    for path in (site, *site.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return Installation(folder, tmp_path_factory.mktemp("away"))


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as content:
        [name] = [n for n in content.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(content.read(name))


def test_wheel_holds_the_rooms_and_what_ships_with_them_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
        for name in names:
            here = REPO / (name.removeprefix("semcom/") if name.startswith(DATA) else name)
            assert content.read(name) == here.read_bytes(), name
    expected = {
        str(path.relative_to(REPO))
        for room in ROOMS
        for path in (REPO / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {
        f"semcom/{path.relative_to(REPO)}"
        for folder in SHIPPED
        for path in (REPO / folder).rglob("*")
        if path.is_file()
    }
    assert names == expected
    assert {f"{room}/py.typed" for room in ROOMS} <= names
    assert "semcom/codecs/cifar10/transmitter.safetensors" in names
    assert "semcom/scenarios/demo.yaml" in names
    assert "orchestrator/live/page/index.html" in names


def test_wheel_says_what_pyproject_says(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Name"] == "rkd-sc"
    assert found["Version"] == PROJECT["version"]
    assert found["Summary"] == PROJECT["description"]
    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == PROJECT["requires-python"]
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_all("Classifier") == PROJECT["classifiers"]
    assert set(found.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert found.get_all("License-File") == ["LICENSE"]
    with zipfile.ZipFile(wheel) as content:
        [licence] = [n for n in content.namelist() if n.endswith(".dist-info/licenses/LICENSE")]
        assert content.read(licence) == (REPO / "LICENSE").read_bytes()


def test_dependencies_alone_can_be_installed_where_there_are_no_rooms(tmp_path: Path) -> None:
    """As the images do, so that their layers do not depend on the code."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(REPO / name, tmp_path)
    for name in ("README.md", "LICENSE"):
        (tmp_path / name).touch()
    code = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [built] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as content:
        assert all(".dist-info/" in name for name in content.namelist())


def test_commands_are_those_of_the_wheel(installed: Installation) -> None:
    code, printed = installed.run("semcom", "--version")
    assert (code, printed) == (0, f"semcom {PROJECT['version']}\n")
    where = "; ".join(f"import {room}; print({room}.__file__)" for room in ROOMS)
    code, printed = installed.run("python", "-c", where)
    assert code == 0, printed
    assert all(Path(line).is_relative_to(installed.folder) for line in printed.splitlines())


def test_shipped_codecs_are_listed(installed: Installation) -> None:
    code, printed = installed.run("semcom", "checkpoints", "list")
    assert code == 0, printed
    names = {path.parent.name for path in (REPO / "codecs").glob("*/manifest.json")}
    assert len(names) >= 6
    assert all(f" {name} " in printed for name in names)


def test_sweep_runs_on_the_processes_and_codecs_of_the_wheel(
    installed: Installation, workplace: Path, tmp_path: Path
) -> None:
    changes = {"images": 50, "snr_db": [5], "receiver_engine": "torch"}
    scenario, run = write_scenario(tmp_path / "s.yaml", **changes), tmp_path / "run"
    options = ("--data", workplace / "data", "--no-report")
    code, printed = installed.run("semcom", "sweep", scenario, "--out", run, *options)
    assert code == 0, printed
    assert verify_run(run).images == 2 * 2 * 50
    launched = yaml.safe_load((run / "processes.yaml").read_text())
    assert Path(launched["receiver"]["codec_dir"]).is_relative_to(installed.folder)


def test_shipped_scenario_is_known_by_name_and_a_missing_one_is_one_line(
    installed: Installation,
) -> None:
    code, printed = installed.run("semcom", "sweep", "demo", "--live")
    assert code == 2, printed
    assert "no live system" in printed, "the scenario is read before the system is looked for"
    code, printed = installed.run("semcom", "sweep", "scenarios/unknown.yaml")
    assert code == 2
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("demo",)], ids=" ".join)
def test_command_without_the_extra_of_the_orchestrator_is_one_line(
    words: tuple[str, ...], installed: Installation
) -> None:
    hidden = hiding("typer")
    hidden["PYTHONPATH"] = hidden["PYTHONPATH"].partition(os.pathsep)[0]  # not the checkout
    code, printed = installed.run("semcom", *words, **hidden)
    assert (code, printed) == (
        2,
        "error: semcom needs typer: pip install 'rkd-sc[orchestrator]'\n",
    )
