"""Small jobs for the tests of training: a pipeline in this process, and one as a command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.training.data import Rank
from orchestrator.training.loop import Run
from orchestrator.training.pipeline import Pipeline, Trained
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.settings import StageName, TrainingSettings
from semcom.allocator import keeping_memory
from semcom.architecture import System
from semcom.shards import read_manifest
from semcom.stop_signals import StopRequest
from tests.forking import Popen

STAGES: tuple[StageName, ...] = ("teacher", "search", "stage1", "head", "stage2")
BATCH = 32
SHORT = {name: {"epochs": 2, "batch": BATCH} for name in (*STAGES, "jscc")}
BLOCKS = [[16], [32], [32], [64]]  # of a small teacher
WIDTH = 0.25
SMALL = {
    "stages": SHORT,
    "images": 128,
    "precision": "fp32",
    "architecture": {"encoder": {"width": WIDTH}},
    "teacher": {"encoder": {"blocks": BLOCKS}},
    "augmentation": {"views": 2},
}
SMALL_WORDS = ("precision=fp32", f"architecture.encoder.width={WIDTH}")
SMALL_WORDS += (f"teacher.encoder.blocks={BLOCKS}",)
SHAPES10 = Path(__file__).resolve().parents[3] / "codecs" / "shapes10"


@dataclass
class Watcher:
    """A reporter that counts steps and asks the job to stop after some of them."""

    stop: StopRequest
    stop_after: int | None = None
    steps: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    noted: list[tuple[str, int, int]] = field(default_factory=list)

    def start(self, stage: str, *, epochs: int, steps: int, done: int) -> None:
        """A stage starts."""

    @property
    def is_due(self) -> bool:
        """Asked once after every step."""
        self.steps += 1
        if self.steps == self.stop_after:
            self.stop.signal = 15
        return False

    def step(self, epoch: int, step: int, **values: Any) -> None:
        """An epoch ends."""
        self.seen.append({"epoch": epoch, "step": step, **values})

    def note(self, what: str, done: int, total: int) -> None:
        """Features are computed, or another job is waited for."""
        self.noted.append((what, done, total))


def small_settings(
    data_dir: Path, work_dir: Path, *, system: System = "rkd-sc", **overrides: Any
) -> TrainingSettings:
    """A job of seconds on drawn images; the rkd-sc one with its search."""
    manifest = read_manifest(data_dir / "shapes10")
    laid = {**SMALL, "data_dir": data_dir, "work_dir": work_dir, **overrides}
    if system == "jscc-teacher":
        laid.pop("architecture")
    return settings_from_preset("smoke", manifest, name="tiny", system=system, overrides=laid)


def run_here(seed: int = 0, stop_after: int | None = None) -> Run:
    """A run in this process that saves only when it is stopped, after some steps if told."""
    stop = StopRequest()
    return Run(
        seed,
        bf16=False,
        device=torch.device("cpu"),
        rank=Rank(),
        stop=stop,
        reporter=Watcher(stop, stop_after),
        checkpoint_s=1e9,
    )


def train(
    settings: TrainingSettings, stop_after: int | None = None
) -> tuple[Trained, list[tuple[StageName, bool]]]:
    """Run a job here; also which stages were run (True) or taken over (False)."""
    told: list[tuple[StageName, bool]] = []
    run = run_here(settings.seed, stop_after)
    trained = Pipeline(settings, run).train(lambda stage, ran: told.append((stage, ran)))
    assert trained is not None
    return trained, told


def train_until(settings: TrainingSettings, stage: StageName) -> Pipeline:
    """The pipeline of a job that ended after a stage."""
    pipeline = Pipeline(settings, run_here(settings.seed))
    assert pipeline.train(lambda stage, ran: None, until=stage) is None
    return pipeline


def copy_of(codec: Path, folder: Path) -> Path:
    """A codec's files in a folder of the test's own."""
    shutil.copytree(codec, folder)
    return folder


def relabelled(codec: Path, folder: Path, change: dict[str, object]) -> Path:
    """A copy whose manifest says something else of the architecture."""
    copied = copy_of(codec, folder)
    manifest = json.loads((copied / "manifest.json").read_text())
    for path, value in change.items():
        *parents, last = path.split(".")
        inner = manifest["architecture"]
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    del manifest["classes"]  # whatever their number is now
    (copied / "manifest.json").write_text(json.dumps(manifest))
    return copied


def setting_words(*assignments: str) -> list[str]:
    """`--set` before each."""
    return [word for assignment in assignments for word in ("--set", assignment)]


def parameters(trained: Trained) -> np.ndarray:
    """All weights and statistics of a link in one vector."""
    state = trained.link.state_dict()
    return np.concatenate([tensor.double().numpy().ravel() for tensor in state.values()])


def start_training(
    data_dir: Path,
    folder: Path,
    *words: str,
    nproc: int = 1,
    networks: tuple[str, ...] = SMALL_WORDS,
) -> subprocess.Popen[str]:
    """`python -m orchestrator.training` on a small job, one thread a rank."""
    command = [sys.executable, "-m", "orchestrator.training", "shapes10", "--preset", "smoke"]
    command += ["--name", "tiny", "--data", str(data_dir), "--work", str(folder / "work")]
    command += ["--out", str(folder / "codec"), "--nproc", str(nproc)]
    if "jscc-student" in words:  # it has no teacher, and takes no settings of one
        networks = tuple(each for each in networks if not each.startswith("teacher."))
    command += [*setting_words("threads=1", *networks), *words]
    return Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**keeping_memory(), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
