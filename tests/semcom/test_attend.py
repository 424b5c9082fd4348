"""Attention under autocast on a CPU: float32, whose backward pass is the fast one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from semcom.nn.attend import attend


def inputs() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    return tuple(torch.randn(2, 4, 5, 8, generator=generator) for _ in range(3))


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_scaled_dot_product_attention(masked: bool) -> None:
    mask = torch.ones(5, 5, dtype=torch.bool).tril() if masked else None
    query, key, value = inputs()
    scores = query @ key.transpose(-2, -1) / 8**0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    torch.testing.assert_close(attend(query, key, value, mask), scores.softmax(-1) @ value)


def test_under_autocast_it_computes_in_float32_and_its_gradients_too() -> None:
    plain = [each.bfloat16().float().requires_grad_() for each in inputs()]
    F.scaled_dot_product_attention(*plain).sum().backward()
    cast = [each.bfloat16().requires_grad_() for each in inputs()]
    with torch.autocast("cpu", torch.bfloat16):
        attended = attend(*cast)
    assert attended.dtype == torch.float32
    attended.sum().backward()
    for mine, theirs in zip(cast, plain, strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad.bfloat16())
