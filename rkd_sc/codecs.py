"""Codecs: the available ones, and training of the paper's systems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import DATA, WORK
from rkd_sc.progress import ProgressOption, following, reporting
from semcom.checkpoints import Checkpoint as Codec
from semcom.checkpoints import codec_folder, default_name, default_root, open_checkpoint
from semcom.children import run_module
from semcom.errors import ProcessFailedError
from semcom.extras import require

__all__ = ["Codec", "codecs", "load_codec", "train"]


def codecs(folder: Path | str | None = None) -> dict[str, Codec]:
    """Return codecs by name: those in `codecs` here and the shipped ones, or those of a folder."""
    if folder is None:
        catalog = Catalog(default_root())
        return {name: catalog.open(name) for name in catalog.all_names()}
    catalog = Catalog(Path(folder), own_only=True)
    return {name: catalog.open(name) for name in catalog.names()}


def load_codec(name: Path | str) -> Codec:
    """Return a codec by its folder, or by its name in `codecs` here or among the shipped ones.

    Raises:
        CheckpointError: there is no such codec, or its manifest is not valid.
    """
    return open_checkpoint(codec_folder(Path(name)))


def train(
    dataset: str,
    *,
    preset: str = "compact",
    system: str = "rkd-sc",
    settings: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    data: Path | str = DATA,
    progress: ProgressOption | None = None,
) -> Codec:
    """Train a codec in a separate process, as `semcom train` does; a stopped run resumes.

    Args:
        dataset: a prepared data set.
        preset: `smoke`, `compact` or another of `semcom train --help`.
        system: `rkd-sc`, or a baseline.
        settings: as `--set KEY=VALUE`.
        out: the codec's folder; default codecs/DATASET-PRESET.
        data: folder of data sets.
        progress: None shows the output of `semcom train` itself, which a notebook does not display.
            False shows nothing, True prints a line of progress to standard error, and a function is
            called with every `Progress`, from another thread.

    Raises:
        ProcessFailedError: the training run ended with an error; the log is on standard error.
        ConfigurationError: the packages of training are not installed.
    """
    require("rkd_sc.train", "training")
    folder = Path("codecs") / default_name(dataset, preset, system) if out is None else Path(out)
    words = [dataset, "--preset", preset, "--system", system, "--data", str(data)]
    words += ["--out", str(folder), "--name", folder.name, "--work", str(WORK)]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    if progress is None:
        done = run_module("orchestrator.training", *words)
    else:
        lines = WORK / folder.name / "progress.jsonl"
        with reporting(progress) as told, following(lines, folder.name, told):
            done = run_module("orchestrator.training", *words, stdout=DEVNULL)
    if done.returncode:
        raise ProcessFailedError(f"training of {folder.name} failed", done.returncode)
    return open_checkpoint(folder)
