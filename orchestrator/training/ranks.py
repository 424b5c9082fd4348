"""The processes that share a training: one rank, or several under torchrun.

Every rank takes its part of every batch. Gradients are averaged by DDP, batch norms see the whole
batch, and what is random is keyed by the step and not by the rank; so n ranks compute what one
rank computes, up to the rounding of sums.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from orchestrator.training.data import Rank

GRACE_S = 2.0


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Rank]:
    """This process's place among the ranks that torchrun started; alone without torchrun."""
    if "RANK" not in os.environ:
        yield Rank()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Rank(dist.get_rank(), dist.get_world_size())
        dist.barrier()
        if dist.get_rank() == 0:
            # The store lives in rank 0: it leaves last, or the others wait for it for minutes.
            time.sleep(GRACE_S)
    finally:
        dist.destroy_process_group()


def spread(module: nn.Module, rank: Rank) -> nn.Module:
    """The module as several ranks train it: called like it, gradients averaged over the ranks.

    Looking for unused parameters keeps DDP from regrouping its buckets after the first step, so
    that a resumed run sums in the order of an uninterrupted one.
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
    """Whether any rank says yes; all ranks get the same answer."""
    if rank.count == 1:
        return flag
    votes = torch.tensor([int(flag)], device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes.item())


def gathered_rows(part: Tensor, rank: Rank, total: int) -> Tensor:
    """Rows that the ranks computed of a (total, D) tensor, each every count-th row, together."""
    if rank.count == 1:
        return part
    longest = -(-total // rank.count)
    padded = torch.zeros((longest, *part.shape[1:]), dtype=part.dtype, device=part.device)
    padded[: len(part)] = part
    parts = [torch.empty_like(padded) for _ in range(rank.count)]
    dist.all_gather(parts, padded)
    return torch.stack(parts, dim=1).flatten(0, 1)[:total]


def wait_for_all(rank: Rank) -> None:
    """Return when every rank has come here."""
    if rank.count > 1:
        dist.barrier()


def share_batch_norms(module: nn.Module) -> None:
    """Turn batch norms into ones that normalise with the statistics of all ranks' images."""
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d or type(layer) is nn.BatchNorm1d:
            layer.__class__ = SharedBatchNorm


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
        shape = (1, -1, *[1] * (values.ndim - 2))
        over = [0, *range(2, values.ndim)]
        count = values.numel() / values.shape[1] * dist.get_world_size()
        mean = _sum_over_ranks(values.sum(over)) / count
        centred = values - mean.view(shape)
        variance = _sum_over_ranks(centred.square().sum(over)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        output: Tensor = centred * scale.view(shape)
        if self.affine:
            output = output + self.bias.view(shape)
        return output.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        momentum = 0.1 if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def _sum_over_ranks(x: Tensor) -> Tensor:
    summed: Tensor = _SumOverRanks.apply(x)
    return summed


class _SumOverRanks(torch.autograd.Function):
    """y = sum of x over the ranks; the gradient of x is the sum of the ranks' gradients of y."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        del context
        y = x.clone()
        dist.all_reduce(y)
        return y

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        del context
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient
