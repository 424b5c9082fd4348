"""A stage of a training: its interface for the loop.

A stage is a module: trained modules are registered in it, others are not.

Shape legend: B batch, S image size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from orchestrator.training.data import Batch, EpochKey

Losses = dict[str, Tensor]
Prepare = Callable[[Tensor], Tensor]  # stored pixels (B, S, S, 3) uint8 -> networks' input


class Stage(nn.Module, ABC):
    """Base of stages: a name, the loss of a batch, and hooks around epochs and steps."""

    name: str
    uses_views = True  # uses the teacher's features, stored by view

    def __init__(self, prepare: Prepare, name: str | None = None) -> None:
        super().__init__()
        if name is not None:
            self.name = name
        self.prepare = prepare
        self.drawn_as: str = self.name  # key of the order of the images and of other random values

    @abstractmethod
    def forward(self, batch: Batch) -> Losses:
        """Return the weighted terms of the loss, whose sum is minimised."""

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the loop's optimiser updates."""
        return [p for p in self.parameters() if p.requires_grad]

    def start_epoch(self, key: EpochKey) -> None:
        """Set every module to its training mode."""
        del key
        self.train()

    def before_step(self, step: int, share: float) -> None:
        """Run before the loop's own step."""

    def end_epoch(self, key: EpochKey, means: dict[str, float]) -> None:
        """Called after an epoch; `means` are its loss terms."""

    @property
    def is_content(self) -> bool:
        """Return whether further epochs would not help; called after each epoch, on all ranks."""
        return False

    def finish(self) -> None:
        """Called after all epochs."""

    def extra(self) -> dict[str, Any]:
        """Return the state besides parameters and the loop's optimiser."""
        return {}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Restore that state."""

    def labels(self, batch: Batch) -> Tensor:
        """Return the batch's labels on the device of the parameters."""
        return batch.labels_B.to(next(self.parameters()).device, non_blocking=True)
