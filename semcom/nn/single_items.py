"""Networks over the items of a frame one by one, so that no item depends on its neighbours.

A library may sum in another order for another size of a batch: the last bit of a pixel would then
depend on which items share a forward pass, and with it, rarely, the byte that it is rounded to.

Shape legend: N items.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def each_alone(forward: Callable[..., Tensor], *inputs_N: Tensor) -> Tensor:
    """Return what `forward` makes of each item in a batch of its own, (N, ...).

    Args:
        forward: of a batch; called with one item of every input.
        inputs_N: (N, ...) each, N at least 1.
    """
    items = range(len(inputs_N[0]))
    return torch.cat([forward(*(each[n : n + 1] for each in inputs_N)) for n in items])
