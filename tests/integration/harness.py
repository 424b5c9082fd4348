"""Real runs of the shipped commands, watched from outside: ledger, logs, process ids."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

REPO = Path(__file__).resolve().parents[2]
SEMCOM = [sys.executable, "-m", "orchestrator.cli"]
DEADLINE_S = 120.0

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
    """A small sweep with many frames, so that there is time to disturb it."""
    content = {
        "name": "disturbed",
        "links": {
            "shapes10": {"dataset": "shapes10", "codec": "shapes10"},
            "shapes100": {"dataset": "shapes100", "codec": "shapes100"},
        },
        "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
        "snr_db": [-5, 5, 15],
        "images": 500,
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

    def recorded(self) -> int:
        """Frames in the ledger."""
        path = self.folder / "ledger.sqlite"
        if not path.exists():
            return 0
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return int(database.execute("SELECT COUNT(*) FROM frames").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
        finally:
            database.close()

    def wait_recorded(self, frames: int) -> None:
        """Wait until so many frames are in the ledger."""

        def there() -> bool:
            assert self.process.poll() is None, f"the sweep ended: {self.output()}"
            return self.recorded() >= frames

        eventually(there, f"{frames} frames recorded")

    def pid(self, peer: str) -> int:
        """The process id of the latest process of that name."""
        found = 0
        for line in (self.folder / "logs" / "orchestrator.jsonl").read_text().splitlines():
            record = json.loads(line)
            if record["event"] == "process started" and record["peer"] == peer:
                found = record["child"]
        assert found, f"no process {peer} was started"
        return found

    def kill(self, peer: str) -> None:
        """kill -9 of a process of the run."""
        os.kill(self.pid(peer), signal.SIGKILL)

    def output(self) -> str:
        """What the command printed, after it ended."""
        return self.process.communicate(timeout=DEADLINE_S)[0]

    def finish(self) -> str:
        """Wait for a good end; returns what was printed."""
        printed = self.output()
        assert self.process.returncode == 0, printed
        return printed


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start a `semcom` command."""
    process = subprocess.Popen(
        [*SEMCOM, *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
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


def start_sweep(scenario: Path, folder: Path, *options: str, workplace: Path) -> Run:
    """Start a sweep in a workplace that has `data` and `codecs`."""
    process = start("sweep", scenario, "--out", folder, *options, cwd=workplace)
    return Run(process, folder)


def results_digest(folder: Path) -> str:
    """The results digest that a finished run states."""
    return str(json.loads((folder / "manifest.json").read_text())["results_digest"])


def ended(pid: int) -> bool:
    """Whether a process is gone (or a zombie that nobody waits for)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
