"""`semcom bench run start`: the time until a demo sweeps, and import times of processes."""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.plan.folders import Folders
from orchestrator.results.run_folder import LEDGER
from semcom.children import run_program, start_module
from semcom.errors import SemcomError

MODULES = {
    "channel": "channel_sim.service",
    "transmitter": "transmitters.service",
    "receiver": "receiver.service",
    "command": "orchestrator.cli.main",
}
LOAD_KERNELS = "from channel_sim.noise_engine import load_engine; load_engine('numba')"
WITH_KERNELS = "the same of the channel with its compiled kernels, s"
POLL_S = 0.02


def bench_start(rounds: int, folders: Folders) -> Figures:
    """Measure the seconds from `semcom demo` to its first recorded frame, and of every import."""
    here = machine()
    rows: list[Row] = []
    for _ in range(rounds):
        row: Row = {"demo sweeps after, s": _demo_s(folders)}
        for name, module in MODULES.items():
            row[f"import of the {name}, s"] = _import_s(module)
        row[WITH_KERNELS] = _import_s("channel_sim.service", then=LOAD_KERNELS)
        rows.append(row)
    return Figures(
        name="start",
        title="Start",
        rounds=rows,
        targets=[
            Target(
                claim="start: semcom demo sweeps after (s)",
                column="demo sweeps after, s",
                bound=8.0,
                at_least=False,
            ),
            Target(
                claim="start: import of the channel's role (s)",
                column="import of the channel, s",
                bound=0.5,
                at_least=False,
            ),
            Target(
                claim="start: the same with its compiled kernels (s)",
                column=WITH_KERNELS,
                bound=0.5,
                at_least=False,
            ),
        ],
        facts=here,
    )


def _demo_s(folders: Folders) -> float:
    """Return the seconds until the ledger of a demo has a frame; then end it."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "demo"
        options = ("--out", run, "--data", folders.data, "--codecs", folders.codecs)
        started_s = time.monotonic()
        process = start_module("orchestrator", "demo", *options, stdout=subprocess.DEVNULL)
        try:
            while not _has_frames(run):
                if process.poll() is not None:
                    raise SemcomError(f"the demo ended with {process.returncode}")
                time.sleep(POLL_S)
            return time.monotonic() - started_s
        finally:
            children = psutil.Process(process.pid).children() if process.poll() is None else []
            process.kill()  # its processes end with it
            process.wait()
            psutil.wait_procs(children, timeout=30)


def _has_frames(run: Path) -> bool:
    """Return whether a frame is recorded; read-only, because the demo is writing."""
    try:
        with closing(sqlite3.connect(f"file:{run / LEDGER}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM frames LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False  # it is being created


def _import_s(module: str, *, then: str = "") -> float:
    """Wall time of an import, and of a call, in a new interpreter, without its own start."""
    program = (
        "import time; started = time.perf_counter(); "
        f"import {module}\n{then}\nprint(time.perf_counter() - started)"
    )
    done = run_program(program, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SemcomError(f"{module} cannot be imported: exit code {done.returncode}")
    return float(done.stdout)
