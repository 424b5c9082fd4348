"""Scaled dot-product attention, in the precision in which it is fast.

Shape legend: B sequences, H heads, T positions, S positions of the memory, E width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(
    query_BHTE: Tensor, key_BHSE: Tensor, value_BHSE: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return softmax(q k^T / sqrt(E)) v, (B, H, T, E).

    Under autocast on a CPU the inputs are converted to float32: the backward pass in bf16 takes
    about fifteen times as long there.

    Args:
        query_BHTE: one query per position.
        key_BHSE: keys of the memory.
        value_BHSE: values of the memory.
        mask: true where a position may be seen, or 0 there and minus infinity elsewhere.
    """
    if query_BHTE.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(query_BHTE, key_BHSE, value_BHSE, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(
            query_BHTE.float(), key_BHSE.float(), value_BHSE.float(), attn_mask=mask
        )
