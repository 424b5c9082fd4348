"""Run under torchrun, or alone: two steps of every stage in float64; writes the weights.

In float32 a rounding can turn the winner of a max pooling, and the gradient with it; in float64
what is left between one rank and several is rounding alone. Students follow a teacher that was
only drawn, so that a stage does not inherit what the stage before it rounded, and alpha moves by
SGD: Adam divides by the gradient's size, also where that is of the size of its rounding.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from orchestrator.training.data import Rank
from orchestrator.training.loop import Run, Training
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.progress import Silent
from orchestrator.training.ranks import joined_ranks
from orchestrator.training.search import halves
from semcom.architecture import System
from semcom.stop_signals import StopRequest
from tests.orchestrator.training.harness import STAGES, small_settings


def main(data_dir: Path, out: Path) -> None:
    """Train every stage of the systems, and a plain DARTS supernet, for two steps each."""
    torch.set_num_threads(1)
    with joined_ranks(torch.device("cpu")) as rank:
        alpha = {"optimizer": "sgd", "lr": 0.5}
        for name in STAGES:
            train(name, name, data_dir, out, rank, search=alpha)
        train("search", "darts", data_dir, out, rank, search={"method": "darts", **alpha})
        train("jscc", "jscc", data_dir, out, rank, system="jscc-student")


def train(
    name: Any, label: str, data_dir: Path, out: Path, rank: Rank, system: System = "rkd-sc",
    **settings: Any,
) -> None:  # fmt: skip
    """Two steps of a stage as it starts; rank 0 keeps its weights."""
    settings = {"images": 128, "augmentation": {"views": 0}, **settings}
    chosen = small_settings(data_dir, out / label, system=system, **settings)
    device = torch.device("cpu")
    pipeline = Pipeline(chosen, Run(0, False, device, rank, StopRequest(), Silent(), 1e9))
    if name not in {"teacher", "jscc"} and label != "darts":
        teacher = pipeline._make_stage("teacher", None).double()
        teacher.prepare = doubled(teacher.prepare)
        pipeline.stages["teacher"] = pipeline._artefact("teacher")
        pipeline._teaching._prepare = teacher.prepare  # type: ignore[method-assign]
        pipeline._take_over("teacher", teacher, pipeline.stages["teacher"])
    link = None if name in {"teacher", "search"} else pipeline._make_link().double()
    stage = pipeline._make_stage(name, link).double()
    stage.prepare = doubled(stage.prepare)
    images, _ = halves(pipeline.images, pipeline.settings.search, 0)
    Training(
        stage,
        images,
        settings=chosen.stages[stage.name].model_copy(update={"epochs": 1}),
        augmentation=chosen.augmentation,
        artefact=pipeline._artefact(stage.name),
        run=pipeline.run,
    ).run()
    if rank.index == 0:
        out.mkdir(parents=True, exist_ok=True)
        state = {key: value.contiguous() for key, value in stage.state_dict().items()}
        save_file(state, out / f"{label}.safetensors")


def doubled(prepare: Any) -> Any:
    """The same in float64."""
    return lambda pixels: prepare(pixels).double()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
