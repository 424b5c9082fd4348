"""Run under torchrun, or alone: two steps of two stages in float64; writes the weights.

In float32 a rounding can turn the winner of a max pooling, and the gradient with it; in float64
what is left between one rank and several is rounding alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from orchestrator.training.loop import Run, Training
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.progress import Silent
from orchestrator.training.ranks import joined_ranks
from orchestrator.training.search import halves
from orchestrator.training.stop import StopRequest
from tests.orchestrator.training.harness import small_settings


def main(data_dir: Path, out: Path) -> None:
    """Train the teacher and a plain DARTS supernet for two steps each."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    settings = small_settings(data_dir, out, images=128, search={"method": "darts", "lr": 0.05})
    with joined_ranks(device) as rank:
        run = Run(0, False, device, rank, StopRequest(), Silent(), 1e9)
        pipeline = Pipeline(settings, run)
        for name in ("teacher", "search"):
            stage = pipeline._make_stage(name, None).double()  # type: ignore[arg-type]
            prepare = stage.prepare
            stage.prepare = lambda pixels, prepare=prepare: prepare(pixels).double()
            images, _ = halves(pipeline.images, 0.5, 0)
            Training(
                stage,
                images,
                settings=settings.stages[stage.name].model_copy(update={"epochs": 1}),
                augmentation=settings.augmentation,
                artefact=pipeline._artefact(stage.name),
                run=run,
            ).run()
            if rank.index == 0:
                out.mkdir(parents=True, exist_ok=True)
                state = {k: v.contiguous() for k, v in stage.state_dict().items()}
                save_file(state, out / f"{name}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
