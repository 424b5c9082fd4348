"""Run networks on the items of a frame one by one, so that no item depends on its neighbours.

A library may sum in another order for another batch size: the last bit of a pixel, and rarely the
byte to which it is rounded, would then depend on which items share a forward pass.

Shape legend: N items.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def each_alone(forward: Callable[..., Tensor], *inputs_N: Tensor) -> Tensor:
    """Return the outputs of `forward` for each item in a separate batch, (N, ...).

    Args:
        forward: function of a batch; called with one item of every input.
        inputs_N: (N, ...) each, N at least 1.
    """
    items = range(len(inputs_N[0]))
    return torch.cat([forward(*(each[n : n + 1] for each in inputs_N)) for n in items])
