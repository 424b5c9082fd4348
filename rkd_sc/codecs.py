"""Codecs: those that are there, and training of the paper's systems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import DATA, WORK
from semcom.checkpoints import Checkpoint as Codec
from semcom.checkpoints import codec_folder, default_name, default_root, open_checkpoint
from semcom.children import run_module
from semcom.errors import ProcessFailedError
from semcom.extras import require

__all__ = ["Codec", "codecs", "load_codec", "train"]


def codecs(folder: Path | str | None = None) -> dict[str, Codec]:
    """Return codecs by their names: those of `codecs` here and the shipped ones, or of a folder."""
    if folder is None:
        catalog = Catalog(default_root())
        return {name: catalog.open(name) for name in catalog.all_names()}
    catalog = Catalog(Path(folder), own_only=True)
    return {name: catalog.open(name) for name in catalog.names()}


def load_codec(name: Path | str) -> Codec:
    """Return a codec by its folder, or by its name among those here and the shipped ones.

    Raises:
        CheckpointError: there is none, or its manifest is not valid.
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
) -> Codec:
    """Train a codec in a separate process, as `semcom train`; a stopped training resumes.

    Args:
        dataset: a prepared data set.
        preset: `smoke`, `compact` or another of `semcom train --help`.
        system: `rkd-sc`, or a baseline.
        settings: as `--set KEY=VALUE`.
        out: the codec's folder; default codecs/DATASET-PRESET.
        data: folder of data sets.

    Raises:
        ProcessFailedError: the training ended with an error; the log is on standard error.
        ConfigurationError: the packages of training are not installed.
    """
    require("rkd_sc.train", "training")
    folder = Path("codecs") / default_name(dataset, preset, system) if out is None else Path(out)
    words = [dataset, "--preset", preset, "--system", system, "--data", str(data)]
    words += ["--out", str(folder), "--name", folder.name, "--work", str(WORK)]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    done = run_module("orchestrator.training", *words)
    if done.returncode:
        raise ProcessFailedError(f"training of {folder.name} failed", done.returncode)
    return open_checkpoint(folder)
