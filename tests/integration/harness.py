"""Real runs of the shipped commands, watched from outside: ledger, logs, process ids."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest
import yaml

from tests.forking import Popen

REPO = Path(__file__).resolve().parents[2]
SEMCOM = [sys.executable, "-m", "orchestrator"]
HELD_SWEEP = [sys.executable, str(Path(__file__).with_name("held_sweep.py"))]
DEADLINE_S = 400.0  # of what a machine with nothing else to do has done within seconds

# Commands that were started; the fixture `no_process_is_left` ends what a failed test leaves.
started: list[subprocess.Popen[str]] = []


def eventually(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds; fail with its name after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.02)


def write_scenario(path: Path, **changes: object) -> Path:
    """A small sweep of many small frames; its processes start without torch.

    With `engine: torch` that is what receivers have, too, unless they are given one.
    """
    content = {
        "name": "disturbed",
        "engine": "onnxruntime",
        "receiver_engine": "torch" if changes.get("engine") == "torch" else "onnxruntime",
        "links": {
            "shapes10": {"dataset": "shapes10", "codec": "shapes10"},
            "shapes100": {"dataset": "shapes100", "codec": "shapes100"},
        },
        "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
        "snr_db": [-5, 5, 15],
        "images": 250,
        "frame_images": 5,
        "window": 4,
        **changes,
    }
    path.write_text(yaml.safe_dump(content))
    return path


@dataclass
class Run:
    """A `semcom sweep` under way."""

    process: subprocess.Popen[str]
    folder: Path

    def recorded(self, link: str | None = None) -> int:
        """Frames in the ledger, of one link or of all."""
        path = self.folder / "ledger.sqlite"
        if not path.exists():
            return 0
        count = "SELECT COUNT(*) FROM frames WHERE ?1 IS NULL OR link = ?1"
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return int(database.execute(count, (link,)).fetchone()[0])
        except sqlite3.OperationalError:
            return 0
        finally:
            database.close()

    def wait_recorded(self, frames: int, link: str | None = None) -> None:
        """Wait until so many frames are in the ledger, of one link or of all."""

        def there() -> bool:
            assert self.process.poll() is None, f"the sweep ended: {self.output()}"
            return self.recorded(link) >= frames

        eventually(there, f"{frames} frames recorded")

    def log(self, peer: str) -> list[dict[str, Any]]:
        """What a process has logged so far; its last line may be half written."""
        try:
            text = (self.folder / "logs" / f"{peer}.jsonl").read_text(errors="replace")
        except FileNotFoundError:
            return []
        lines = text.rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def pid(self, peer: str) -> int:
        """The process id of the latest process of that name."""
        started_ids = [
            record["child"]
            for record in self.log("orchestrator")
            if record["event"] == "process started" and record["peer"] == peer
        ]
        assert started_ids, f"no process {peer} was started"
        return int(started_ids[-1])

    def kill(self, peer: str) -> None:
        """kill -9 of a process of the run."""
        os.kill(self.pid(peer), signal.SIGKILL)

    def output(self) -> str:
        """What the command printed, after it ended; a sweep that is held is let go."""
        return self.process.communicate(timeout=DEADLINE_S)[0]

    def finish(self) -> str:
        """Wait for a good end; returns what was printed."""
        printed = self.output()
        assert self.process.returncode == 0, printed
        return printed


def start(
    *arguments: str | Path, cwd: Path, program: Sequence[str] = SEMCOM, stdin: int = DEVNULL
) -> subprocess.Popen[str]:
    """Start a `semcom` command."""
    process = Popen[str](
        [*program, *map(str, arguments)],
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started.append(process)
    return process


def command(*arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """Run a `semcom` command to its end: exit code and output."""
    process = start(*arguments, cwd=cwd)
    printed, _ = process.communicate(timeout=DEADLINE_S)
    return process.returncode, printed


def sweep_arguments(scenario: Path, folder: Path, *options: str) -> list[str | Path]:
    """A sweep without its report, which costs more than the sweep."""
    return ["sweep", scenario, "--out", folder, "--no-report", *options]


def start_sweep(scenario: Path, folder: Path, *options: str, workplace: Path) -> Run:
    """Start a sweep in a workplace that has `data` and `codecs`."""
    return Run(start(*sweep_arguments(scenario, folder, *options), cwd=workplace), folder)


def start_held_sweep(
    scenario: Path, folder: Path, *options: str, workplace: Path, link: str, frames: int
) -> Run:
    """The same, but it stands still once so many frames of a link are recorded.

    It goes on when `Run.output` or `Run.finish` closes its standard input. The link is up to two
    points ahead of what is recorded, so `frames` must lie more than that before its end.
    """
    program = [*HELD_SWEEP, link, str(frames)]
    arguments = sweep_arguments(scenario, folder, *options)
    return Run(start(*arguments, cwd=workplace, program=program, stdin=PIPE), folder)


def results_digest(folder: Path) -> str:
    """The results digest that a finished run states."""
    return str(json.loads((folder / "manifest.json").read_text())["results_digest"])


def skip_without(**needed: int) -> None:
    """Skip where a checkout was installed without what builds it: packages and least versions."""
    for package, least in needed.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "0"
        if int(found.partition(".")[0]) < least:
            install = "pip install -c constraints.txt -e '.[dev]'"
            pytest.skip(f"no {package} {least} or later: {install}")


def ended(pid: int) -> bool:
    """Whether a process is gone (or a zombie that nobody waits for)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
