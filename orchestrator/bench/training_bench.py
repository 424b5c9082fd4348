"""`semcom bench run training`: the training loop compared with a straightforward PyTorch one."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from orchestrator.bench.bench_sweeps import DATASET
from orchestrator.bench.figures import Figures, Target, machine
from orchestrator.plan.folders import Folders
from semcom.children import run_module
from semcom.errors import ProcessFailedError

STEPS = 64  # of 128 images, in every round


def bench_training(rounds: int, folders: Folders) -> Figures:
    """Measure images per second of both loops with the same student and images on all cores."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rounds.csv"
        words = [DATASET, "--data", str(folders.data), "--steps", str(STEPS)]
        words += ["--rounds", str(rounds), "--out", str(table)]
        done = run_module(
            "orchestrator.training.loop_timing", *words, capture_output=True, text=True
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            text = f"training.bench: {last.removeprefix('error: ')}"
            raise ProcessFailedError(text, done.returncode)
        with table.open(newline="") as file:
            measured = [*csv.DictReader(file)]
    return Figures(
        name="training",
        title="Training the compact student, images per second",
        rounds=[
            {
                "our loop, images/s": float(row["ours"]),
                "plain loop, images/s": float(row["plain"]),
                "ours over plain": float(row["ratio"]),
            }
            for row in measured
        ],
        targets=[
            Target(
                claim="training loop: times as fast as a plain PyTorch loop",
                column="ours over plain",
                bound=3.0,
            )
        ],
        facts={**machine(), "images in a round": str(128 * STEPS)},
    )
