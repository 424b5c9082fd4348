"""The one training loop: any stage, on one rank or many, resumable at every step.

All random values are keyed by (seed, stage, epoch, step), so a resumed run has no generator state
to restore: its state consists of parameters, optimisers and the step.
"""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from orchestrator.training.artefacts import Artefact
from orchestrator.training.data import EpochKey, Rank
from orchestrator.training.optimizers import make_optimizer
from orchestrator.training.progress import Reporter
from orchestrator.training.ranks import all_equal, any_rank, spread
from orchestrator.training.settings import AugmentationSettings, StageSettings
from orchestrator.training.stage import Losses, Stage
from orchestrator.training.stop import StoppedError
from semcom.errors import CheckpointError, ConfigurationError
from semcom.stop_signals import StopRequest

# Number of steps after which ranks agree on stopping and saving, which waits for the slowest rank.
AGREE_EVERY = 8


@dataclass(frozen=True)
class Run:
    """Rank, device and settings of the stages."""

    seed: int
    bf16: bool
    device: torch.device
    rank: Rank
    stop: StopRequest
    reporter: Reporter
    checkpoint_s: float

    def stop_if_asked(self) -> None:
        """End on all ranks if one was asked to, at a place with nothing to save.

        Raises:
            StoppedError: it was.
        """
        if any_rank(self.stop.signal != 0, self.rank, self.device):
            raise StoppedError(self.stop)


class TrainingItems(Protocol):
    """The training items: images or sentences."""

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def epoch(
        self,
        augmentation: AugmentationSettings,
        *,
        key: EpochKey,
        batch: int,
        views: bool,
        rank: Rank,
    ) -> Any:
        """Return the batches of an epoch by step, each of `batch` items over all ranks."""
        ...


@dataclass
class Position:
    """The position in a stage: complete epochs, steps of the current one, sums of its losses."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, losses: Losses) -> None:
        """Count a step."""
        for name, term in losses.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term
        self.step += 1

    def means(self) -> dict[str, float]:
        """Return the mean loss terms of the epoch so far."""
        return {name: round(float(total) / self.step, 5) for name, total in self.sums.items()}


class Training:
    """The training of a stage: model, optimiser and position."""

    def __init__(
        self,
        stage: Stage,
        items: TrainingItems,
        *,
        settings: StageSettings,
        augmentation: AugmentationSettings,
        artefact: Artefact,
        run: Run,
    ) -> None:
        if settings.batch % run.rank.count:
            raise ValueError(f"batch {settings.batch} over {run.rank.count} ranks")
        self._stage = stage.to(run.device)
        self._items = items
        self._settings = settings
        self._augmentation = augmentation
        self._artefact = artefact
        self._run = run
        self._model = spread(stage, run.rank)
        self._optimizer = make_optimizer(stage.trained_parameters(), settings, bf16=run.bf16)
        self._steps = len(items) // settings.batch
        self._position = Position()
        self._saved_s: float | None = None
        self._last_save = time.monotonic()
        self._mark = (time.monotonic(), 0)  # time and step at which the speed was last measured
        self._rate = 0.0

    def run(self) -> None:
        """Run all epochs, from the last checkpoint if there is one.

        Raises:
            StoppedError: it was asked to stop, and has saved.
            StorageError: the disk cannot be written; the last checkpoint is kept.
            ConfigurationError: the training has diverged; the last checkpoint is older.
        """
        self._resume()
        at, name = self._position, self._stage.name
        done = at.epoch * self._steps + at.step
        self._run.reporter.start(name, epochs=self._settings.epochs, steps=self._steps, done=done)
        self._mark = (time.monotonic(), done)
        with _older_objects_frozen():
            while at.epoch < self._settings.epochs and not self._stage.is_content:
                self._run_epoch(at)
                self._report(at)
                at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
                self._save()
        self._stage.finish()

    def _run_epoch(self, at: Position) -> None:
        key = EpochKey(self._run.seed, self._stage.drawn_as, at.epoch)
        batches = self._items.epoch(
            self._augmentation,
            key=key,
            batch=self._settings.batch,
            views=self._stage.uses_views,
            rank=self._run.rank,
        )
        self._stage.start_epoch(key)
        for step in range(at.step, self._steps):
            share = (at.epoch * self._steps + step) / (self._settings.epochs * self._steps)
            self._set_learning_rate(learning_rate(self._settings, share))
            self._stage.before_step(step, share)
            at.add(self._update(batches[step]))
            if self._run.reporter.is_due:
                self._report(at)
            self._stop_or_save(at)
        self._stage.end_epoch(key, at.means())

    def _check_finite(self) -> None:
        """Refuse to save diverged weights; the ranks' weights are equal, so they agree."""
        epoch = self._position.epoch + (self._position.step > 0)
        for value in self._stage.state_dict().values():
            if value.is_floating_point() and not value.isfinite().all():
                name = self._stage.name
                raise ConfigurationError(
                    f"stage {name} diverged in epoch {epoch}: lower stages.{name}.lr or "
                    f"set stages.{name}.max_gradient_norm"
                )

    def _update(self, batch: Any) -> Losses:
        device = self._run.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._run.bf16):
            losses: Losses = self._model(batch)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        if self._settings.max_gradient_norm is not None:
            parameters = self._stage.trained_parameters()
            nn.utils.clip_grad_norm_(parameters, self._settings.max_gradient_norm)
        self._optimizer.step()
        return {name: term.detach() for name, term in losses.items()}

    def _stop_or_save(self, at: Position) -> None:
        """Save from time to time between steps, and end when asked to."""
        done = at.epoch * self._steps + at.step
        if self._run.rank.count > 1 and done % AGREE_EVERY:
            return
        late = time.monotonic() - self._last_save >= self._run.checkpoint_s
        asked = any_rank(self._run.stop.signal != 0, self._run.rank, self._run.device)
        if asked or any_rank(late, self._run.rank, self._run.device):
            self._save()
        if asked:
            raise StoppedError(self._run.stop)

    def _set_learning_rate(self, value: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = value * group.get("lr_share", 1.0)

    def _save(self) -> None:
        self._check_finite()
        self._last_save = time.monotonic()
        if self._run.rank.index:
            return
        self._artefact.save_resume(
            {
                "epoch": self._position.epoch,
                "step": self._position.step,
                "sums": self._position.sums,
                "stage": self._stage.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "extra": self._stage.extra(),
            }
        )
        self._saved_s = round(time.time(), 3)

    def _resume(self) -> None:
        """Resume from the last checkpoint, the same on all ranks.

        Raises:
            CheckpointError: the checkpoint is damaged, or the ranks find different ones.
        """
        state = self._artefact.load_resume()
        if state is not None:
            self._take_back(state)
        at = [self._position.epoch, self._position.step]
        if not all_equal(at, self._run.rank, self._run.device):
            raise CheckpointError(
                f"{self._artefact.folder}: the ranks find different checkpoints there; "
                "all hosts need "
                "the same work folder"
            )

    def _take_back(self, state: dict[str, Any]) -> None:
        self._stage.load_state_dict(state["stage"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._stage.load_extra(state["extra"])
        sums = {name: value.to(self._run.device) for name, value in state["sums"].items()}
        self._position = Position(int(state["epoch"]), int(state["step"]), sums)

    def _report(self, at: Position) -> None:
        done = at.epoch * self._steps + at.step
        now = time.monotonic()
        since, before = self._mark
        if done > before:
            self._rate = (done - before) * self._settings.batch / max(now - since, 1e-9)
            self._mark = (now, done)
        self._run.reporter.step(
            at.epoch,
            at.step,
            images_per_s=round(self._rate, 1),
            lr=self._optimizer.param_groups[0]["lr"],
            losses=at.means() if at.step else {},
            checkpoint_s=self._saved_s,
        )


@contextlib.contextmanager
def _older_objects_frozen() -> Iterator[None]:
    """Exclude existing objects from Python's garbage collection.

    Repeatedly scanning all objects of torch took 2 % of the time of the steps.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def learning_rate(settings: StageSettings, share: float) -> float:
    """Return the learning rate after `share` (0..1) of all steps."""
    if share < settings.warmup:
        return settings.lr * (0.05 + 0.95 * share / settings.warmup)
    fallen = (share - settings.warmup) / (1.0 - settings.warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, fallen)))
    return settings.lr_end + (settings.lr - settings.lr_end) * cosine
