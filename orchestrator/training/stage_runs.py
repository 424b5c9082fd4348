"""Fills a stage's modules with its result, trained once or loaded from its artefact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from orchestrator.training.artefacts import Artefact
from orchestrator.training.data import keyed_generator
from orchestrator.training.exclusion import alone_in, check_ranks_agree
from orchestrator.training.loop import Run
from orchestrator.training.ranks import any_rank, wait_for_all
from orchestrator.training.stage import Stage

Module = TypeVar("Module", bound=nn.Module)


def have_result(stage: Stage, made: Artefact, run: Run, *, train: Callable[[], None]) -> bool:
    """Fill a stage from its artefact, after training it if the artefact is not finished.

    Only one job at a time does so, with all its ranks. `train` trains the stage; on the first rank
    it may write further files next to the weights, which are written last.

    Returns:
        Whether it was trained.

    Raises:
        StoppedError: it was asked to stop, and has saved.
        CheckpointError: the ranks' inputs of the stage differ, or the artefact is damaged.
    """
    check_ranks_agree(stage.name, made, run)
    with torch.random.fork_rng(devices=[]), alone_in(made, run):
        finished = run.rank.index == 0 and made.is_finished
        ran = not any_rank(finished, run.rank, run.device)
        if ran:
            train()
            if run.rank.index == 0:
                made.save(stage)
            wait_for_all(run.rank)
    if not ran:
        made.load(stage)
    return ran


@contextmanager
def seeded(key: str | int) -> Iterator[None]:
    """Draw initial weights from a key or seed, without changing the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key if isinstance(key, int) else keyed_generator(key).initial_seed())
        yield


def placed(module: Module, device: torch.device) -> Module:
    """Return a module on a device, in the fastest memory format for convolutions."""
    module.to(device)
    module.to(memory_format=torch.channels_last)
    return module
