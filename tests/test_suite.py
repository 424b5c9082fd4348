"""The suite itself: what surrounds it does not matter, and what it leaves out is said."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.left_out import left_out
from tests.properties import EXPLORE, MORE, SHARED, USUAL, examples
from tests.surroundings import settle

REPO = Path(__file__).resolve().parents[1]


class Report:
    """A report of a skipped test."""

    def __init__(self, longrepr: object) -> None:
        self.longrepr = longrepr


def test_each_reason_is_said_once_with_its_count() -> None:
    prometheus = ("tests/a.py", 1, "Skipped: prometheus is not on the PATH; apt install it")
    reports = [Report(prometheus), Report(list(prometheus)), Report("Skipped: no samples")]
    assert left_out(reports) == [
        "1 test: no samples",
        "2 tests: prometheus is not on the PATH; apt install it",
    ]
    assert left_out([]) == []


def test_what_surrounds_the_suite_is_left_behind() -> None:
    environment = {
        "RANK": "abc", "WORLD_SIZE": "2", "MPLBACKEND": "Qt4Agg", "FORCE_COLOR": "1",
        "COLUMNS": "20", "OMP_NUM_THREADS": "64", "HOME": "/home", "NO_PROXY": "corp",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    settle(environment)
    assert environment == {
        "MPLBACKEND": "Agg", "ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1",
        "HOME": "/home", "NO_PROXY": "corp,127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }  # fmt: skip


def test_examples_of_properties_are_the_same_in_every_run_unless_others_are_asked_for() -> None:
    shared, explored = (settings.get_profile(name) for name in (SHARED, EXPLORE))
    assert (shared.derandomize, shared.database) == (True, None)
    assert not explored.derandomize
    assert explored.max_examples == MORE > shared.max_examples == USUAL
    assert examples(60).max_examples == 60 * settings().max_examples // USUAL


SMALL_SUITE = """
import os, signal
import matplotlib
import pytest

def test_surroundings():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert matplotlib.get_backend().lower() == "agg"
    assert "RANK" not in os.environ

@pytest.mark.parametrize("number", [1, 2])
def test_needs(number):
    pytest.skip("prometheus is not on the PATH; apt install it")
"""


@pytest.mark.parametrize("spread", [["-n", "0"], ["-n", "2"]])
def test_the_suite_runs_in_the_background_and_names_what_it_left_out(
    spread: list[str], tmp_path: Path
) -> None:
    """As `nohup make test &` starts it, in a notebook's and a cluster's environment."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "test_small.py").write_text(SMALL_SUITE)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", *spread),
            *("-c", str(REPO / "pyproject.toml"), "--rootdir", str(folder), str(folder)),
        ],
        cwd=REPO, capture_output=True, text=True, check=False, timeout=150,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        env={"PATH": "/usr/bin:/bin", "RANK": "abc", "MPLBACKEND": "Qt4Agg", "TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2 tests: prometheus is not on the PATH; apt install it") == 1
    assert "left out here" in done.stdout
