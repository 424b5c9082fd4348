"""The one training loop: any stage, resumable after every epoch.

Everything random is keyed by (seed, stage, epoch, step), so a resumed run has no generator state
to restore: parameters, optimiser and the number of finished epochs are all there is.
"""

from __future__ import annotations

import io
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from orchestrator.training.data import Batch, ImageSet, training_batches
from orchestrator.training.losses import Losses
from orchestrator.training.settings import AugmentationSettings, StageSettings
from semcom.files import write_atomically


class Task(Protocol):
    """What a stage trains and what it is judged by."""

    @property
    def trained(self) -> nn.Module:
        """The modules whose parameters the optimiser moves."""
        ...

    def start_epoch(self) -> None:
        """Put every module into the mode it trains in."""
        ...

    def losses(self, batch: Batch) -> Losses:
        """The weighted terms of the loss; their sum is minimised."""
        ...


@dataclass(frozen=True)
class Run:
    """Where and how a stage runs."""

    name: str
    folder: Path
    seed: int
    bf16: bool


def train(
    task: Task,
    images: ImageSet,
    *,
    settings: StageSettings,
    augmentation: AugmentationSettings,
    run: Run,
) -> None:
    """Run all epochs of a stage, going on from the last finished one if there was one."""
    optimizer = _optimizer(task.trained, settings)
    steps_per_epoch = len(images) // settings.batch
    first_epoch = _resume(run, task.trained, optimizer)
    with _progress() as progress:
        bar = progress.add_task(run.name, total=settings.epochs * steps_per_epoch, note="")
        progress.update(bar, completed=first_epoch * steps_per_epoch)
        for epoch in range(first_epoch, settings.epochs):
            task.start_epoch()
            started = time.monotonic()
            sums: dict[str, Tensor] = {}
            key = f"{run.seed}/{run.name}/{epoch}"
            batches = training_batches(
                images, batch=settings.batch, key=key, augmentation=augmentation
            )
            for step, batch in enumerate(batches):
                share = (epoch * steps_per_epoch + step) / (settings.epochs * steps_per_epoch)
                _set_learning_rate(optimizer, learning_rate(settings, share))
                for name, term in _step(task, batch, optimizer, bf16=run.bf16).items():
                    sums[name] = sums.get(name, torch.zeros(())) + term
                progress.advance(bar)
            record = {name: float(total) / steps_per_epoch for name, total in sums.items()}
            progress.update(bar, note=" ".join(f"{k} {v:.3f}" for k, v in record.items()))
            _log(run, epoch=epoch, seconds=time.monotonic() - started, losses=record)
            _save(run, task.trained, optimizer, epoch + 1)
    resume_path(run).unlink(missing_ok=True)


def learning_rate(settings: StageSettings, share: float) -> float:
    """The learning rate after `share` (0..1) of all steps."""
    if share < settings.warmup:
        return settings.lr * (0.05 + 0.95 * share / settings.warmup)
    fallen = (share - settings.warmup) / (1.0 - settings.warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, fallen)))
    return settings.lr_end + (settings.lr - settings.lr_end) * cosine


def resume_path(run: Run) -> Path:
    """The file that holds an unfinished stage."""
    return run.folder / f"{run.name}.resume.pt"


def _step(task: Task, batch: Batch, optimizer: torch.optim.Optimizer, *, bf16: bool) -> Losses:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        losses = task.losses(batch)
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return {name: term.detach() for name, term in losses.items()}


def _optimizer(module: nn.Module, settings: StageSettings) -> torch.optim.Optimizer:
    """Weight decay on matrices and kernels only: not on biases and normalisations."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=settings.lr, momentum=settings.momentum, nesterov=True, fused=True
        )
    return torch.optim.AdamW(groups, lr=settings.lr, fused=True)


def _set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value


def _save(run: Run, module: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    buffer = io.BytesIO()
    state = {"epochs": epochs, "module": module.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, buffer)
    write_atomically(resume_path(run), buffer.getvalue())


def _resume(run: Run, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    path = resume_path(run)
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs"])


def _log(run: Run, *, epoch: int, seconds: float, losses: dict[str, float]) -> None:
    line = {"stage": run.name, "epoch": epoch, "seconds": round(seconds, 1), **losses}
    with (run.folder / "progress.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:8}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
