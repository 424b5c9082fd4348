"""The processes that share a training: one rank, or several under torchrun.

Every rank takes its part of every batch. Gradients are averaged by DDP, batch norms use the whole
batch, and random values are keyed by the step, not by the rank, so n ranks compute the same as one
rank, up to the rounding of sums.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from orchestrator.training.data import Rank
from orchestrator.training.meeting import waiting
from semcom.children import is_rank
from semcom.errors import ConfigurationError

GRACE_S = 2.0
PATIENCE = timedelta(days=2)


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Rank]:
    """Yield this process's rank among those started by our launcher; a single one without it."""
    if not is_rank():
        yield Rank()
        return
    with waiting(_other_ranks):
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Rank(dist.get_rank(), dist.get_world_size())
        dist.barrier()
        if dist.get_rank() == 0:
            # The store is in rank 0, which must end last; otherwise the others wait for minutes.
            time.sleep(GRACE_S)
    finally:
        dist.destroy_process_group()


def _other_ranks() -> str:
    rank, count, host, port = (
        os.environ.get(name, "?") for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    )
    return f"the other ranks of {count} at {host}:{port}; this is rank {rank}"


def spread(module: nn.Module, rank: Rank) -> nn.Module:
    """Wrap a module for training by several ranks, with gradients averaged over the ranks.

    The search for unused parameters prevents DDP from regrouping its buckets after the first step,
    so that a resumed run adds up in the same order as an uninterrupted one.
    """
    if rank.count == 1:
        return module
    share_batch_norms(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the option's name changes with torch 2.13
        return DistributedDataParallel(module, broadcast_buffers=False, find_unused_parameters=True)


def average(tensors: list[Tensor], rank: Rank) -> None:
    """Replace tensors by their mean over the ranks."""
    if rank.count == 1:
        return
    for tensor in tensors:
        dist.all_reduce(tensor)
        tensor.div_(rank.count)


def any_rank(flag: bool, rank: Rank, device: torch.device) -> bool:
    """Return whether any rank says yes; all ranks get the same answer."""
    if rank.count == 1:
        return flag
    votes = torch.tensor([int(flag)], device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes.item())


def all_equal(numbers: list[int], rank: Rank, device: torch.device) -> bool:
    """Return whether all ranks have the same numbers; waits for all ranks."""
    if rank.count == 1:
        return True
    bounds = torch.tensor([numbers, [-number for number in numbers]], device=device)
    dist.all_reduce(bounds, op=dist.ReduceOp.MAX)
    return bool((bounds[0] == -bounds[1]).all().item())


def gathered_rows(part: Tensor, rank: Rank, total: int) -> Tensor:
    """Return a (total, D) tensor of which each rank has computed every count-th row."""
    if rank.count == 1:
        return part
    longest = -(-total // rank.count)
    padded = torch.zeros((longest, *part.shape[1:]), dtype=part.dtype, device=part.device)
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in range(rank.count)]
    dist.all_gather(parts, padded)
    return torch.stack(parts, dim=1).flatten(0, 1)[:total]


def wait_for_all(rank: Rank) -> None:
    """Wait until every rank has arrived here."""
    if rank.count > 1:
        dist.barrier()


@contextmanager
def patient_ranks() -> Iterator[None]:
    """Let all ranks leave the block together, however long the first one takes."""
    group = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(group, dist.ProcessGroup)
    yield
    dist.barrier(group)


def spans_hosts() -> bool:
    """Return whether torchrun runs ranks on other hosts, too."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1


def share_batch_norms(module: nn.Module) -> None:
    """Replace batch norms by ones that use the statistics of all ranks' images.

    Raises:
        ConfigurationError: there are trained norms of another kind.
    """
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d or type(layer) is nn.BatchNorm1d:
            layer.__class__ = SharedBatchNorm
            continue
        if not isinstance(layer, _BatchNorm) or isinstance(layer, SharedBatchNorm):
            continue
        if any(p.requires_grad for p in layer.parameters()):
            raise ConfigurationError(
                f"several ranks cannot share a {type(layer).__name__}: train this network on one "
                "rank, or frozen"
            )


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the images of all ranks (PyTorch's own needs a GPU)."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        if input.ndim not in (2, 4):
            raise ValueError(f"expected 2 or 4 dimensions, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """(B, C, ...) -> (B, C, ...)."""
        if not (self.training and dist.is_initialized()):
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        output, mean, variance = _NormaliseOverRanks.apply(values, self.eps)
        count = values.numel() / values.shape[1] * dist.get_world_size()
        self._remember(mean, variance * count / (count - 1))
        if self.affine:
            shape = _of_channels(values)
            output = output * self.weight.view(shape) + self.bias.view(shape)
        normalised: Tensor = output.to(input.dtype)
        return normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None
        momentum = self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def _of_channels(x: Tensor) -> tuple[int, ...]:
    """Return the shape in which a value per channel is broadcast over x (B, C, ...)."""
    return (1, -1, *[1] * (x.ndim - 2))


class _NormaliseOverRanks(torch.autograd.Function):
    """x (B, C, ...) of every rank -> (x - mean_C) / sqrt(variance_C + eps), mean_C, variance_C.

    Mean and variance are over all ranks' x, combined from each rank's values (Chan et al.) in one
    message. The same holds for the gradient, because the statistics depend on every rank's x. All
    ranks have the same number of rows.
    """

    @staticmethod
    def forward(context: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        over, shape = [0, *range(2, x.ndim)], _of_channels(x)
        own = torch.stack(torch.var_mean(x, over, correction=0))
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
        variances, means = torch.stack(parts).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        scale = torch.rsqrt(variance + eps).view(shape)
        output = (x - mean.view(shape)) * scale
        context.save_for_backward(output, scale)
        context.mark_non_differentiable(mean, variance)
        return output, mean, variance

    @staticmethod
    def backward(context: Any, gradient: Tensor, *of_statistics: Tensor) -> tuple[Tensor, None]:
        del of_statistics
        output, scale = context.saved_tensors
        over, shape = [0, *range(2, output.ndim)], _of_channels(output)
        means = torch.stack((gradient.mean(over), (gradient * output).mean(over)))
        dist.all_reduce(means)
        shift, tilt = (means / dist.get_world_size()).unbind(0)
        return (gradient - shift.view(shape) - output * tilt.view(shape)) * scale, None
