"""A stage of a training: what the loop asks of it.

A stage is a module: what it trains is registered in it, what it only asks is not.

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
    """Base: a name, the loss of a batch, and hooks around epochs and steps."""

    name: str
    uses_views = True  # asks for the teacher's features, kept by view

    def __init__(self, prepare: Prepare, name: str | None = None) -> None:
        super().__init__()
        if name is not None:
            self.name = name
        self.prepare = prepare
        self.drawn_as: str = self.name  # keys the order of the images, and what else is random

    @abstractmethod
    def forward(self, batch: Batch) -> Losses:
        """The weighted terms of the loss; their sum is minimised."""

    def trained_parameters(self) -> list[nn.Parameter]:
        """What the loop's optimiser moves."""
        return [p for p in self.parameters() if p.requires_grad]

    def start_epoch(self, key: EpochKey) -> None:
        """Put every module into the mode it trains in."""
        del key
        self.train()

    def before_step(self, step: int, share: float) -> None:
        """What comes before the loop's own step."""

    def end_epoch(self, key: EpochKey, means: dict[str, float]) -> None:
        """An epoch is over; `means` are its loss terms."""

    @property
    def is_content(self) -> bool:
        """Whether further epochs bring nothing; asked after each of them, on all ranks alike."""
        return False

    def finish(self) -> None:
        """All epochs are over."""

    def extra(self) -> dict[str, Any]:
        """State beside parameters and the loop's optimiser."""
        return {}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Take that state back."""

    def labels(self, batch: Batch) -> Tensor:
        """The batch's labels where the parameters are."""
        return batch.labels_B.to(next(self.parameters()).device, non_blocking=True)
