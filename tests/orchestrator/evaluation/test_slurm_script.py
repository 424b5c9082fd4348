"""The batch script for Slurm: a shell takes it, and its tasks compute the parts of one array."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from semcom.errors import ConfigurationError
from tests.integration.harness import write_scenario


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a blank in its name, and a scenario."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    write_scenario(folder / "s.yaml", snr_db=[0], threads={"transmitter": 2, "receiver": 4})
    monkeypatch.chdir(folder)
    return folder


def written(*words):
    done = CliRunner().invoke(app, ["evaluate", "s.yaml", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_script_runs_the_part_that_its_task_is(place, tmp_path):
    said = written("--part", "auto/12", "--out", "all parts", "--slurm-script", "job.sbatch")
    assert "wrote job.sbatch: read it, adapt it, then run: sbatch job.sbatch" in said
    text = (place / "job.sbatch").read_text()
    assert "#SBATCH --array=1-12\n#SBATCH --requeue\n" in text
    assert "#SBATCH --cpus-per-task=4\n" in text
    assert "semcom merge 'all parts-merged' 'all parts'" in text
    programs = tmp_path / "programs"
    programs.mkdir()
    says = programs / "semcom"
    program = "import json, os, sys\nprint(json.dumps([os.getcwd(), *sys.argv[1:]]))\n"
    says.write_text(f"#!/usr/bin/env python3\n{program}")
    says.chmod(0o755)
    done = subprocess.run(
        ["bash", place / "job.sbatch"], cwd="/", capture_output=True, text=True, check=True,
        env={"PATH": f"{programs}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "3"}, timeout=60,
    )  # fmt: skip
    folder, *words = json.loads(done.stdout)
    assert folder == str(place)
    wanted = "evaluate --scenario s.yaml --part auto/12 --out 'all parts'"
    assert words == shlex.split(wanted)


def test_every_option_stands_before_the_first_command(place):
    written("--part", "auto/3", "--slurm-script", "job.sbatch")
    lines = (place / "job.sbatch").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(n < first for n, line in enumerate(lines) if re.match("#+SBATCH", line))


def test_a_script_that_is_there_is_not_replaced(place):
    (place / "job.sbatch").write_text("mine")
    with pytest.raises(ConfigurationError, match="already exists"):
        written("--part", "auto/3", "--slurm-script", "job.sbatch")
    assert (place / "job.sbatch").read_text() == "mine"


@pytest.mark.parametrize("part", [(), ("--part", "auto"), ("--part", "1/3"), ("--part", "auto/0")])
def test_how_many_parts_must_be_said(place, part):
    with pytest.raises(
        ConfigurationError, match="give the number of parts, such as --part auto/10"
    ):
        written(*part, "--slurm-script", "job.sbatch")
    assert not (place / "job.sbatch").exists()
