"""Muon on kernels: torch's own step, whatever the kernel's layout in memory or its precision."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from orchestrator.training.optimizers import (
    FullPrecisionMuon,
    MuonAndAdamW,
    make_optimizer,
    orthogonalized,
)
from orchestrator.training.settings import StageSettings

SETTINGS = StageSettings(epochs=1, optimizer="muon", lr=0.01, weight_decay=0.1)


def small_net() -> nn.Sequential:
    """A kernel, a normalisation, a matrix with its bias and a column."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.Flatten(),
        nn.Linear(24, 5),
        nn.Linear(5, 1),
    )


def moved(net: nn.Module, steps: int = 3, *, bf16: bool = True) -> dict[str, Tensor]:
    """Parameters after some steps on one batch."""
    optimizer = make_optimizer(list(net.parameters()), SETTINGS, bf16=bf16)
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        net(images).square().mean().backward()
        optimizer.step()
    return {name: p.detach().clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize(
    ("bf16", "difference"),
    [(True, 2e-3), (False, 1e-6)],  # orthogonalising rounds with the order of the columns
)
def test_a_kernel_moves_alike_in_both_memory_layouts(bf16: bool, difference: float) -> None:
    plain = small_net()
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    assert not last[0].weight.is_contiguous()
    before = {name: p.detach().clone() for name, p in plain.named_parameters()}
    after, after_last = moved(plain, bf16=bf16), moved(last, bf16=bf16)
    for name, value in after.items():
        torch.testing.assert_close(value, after_last[name], rtol=0, atol=difference, msg=name)
        assert not torch.equal(value, before[name]), name


def test_matrices_take_torchs_own_step_and_the_rest_adamws() -> None:
    net = small_net()
    by_hand = copy.deepcopy(net)
    after = moved(net, steps=1)
    kernel = nn.Parameter(by_hand[0].weight.detach().reshape(6, -1))
    rest = [p for p in by_hand.parameters() if p.ndim == 1 or 1 in p.shape]
    matrix = by_hand[3].weight
    muon = torch.optim.Muon([kernel, matrix], lr=0.01, weight_decay=0.1, momentum=0.9)
    adamw = torch.optim.AdamW(rest, lr=0.001, weight_decay=0.0)
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    by_hand(images).square().mean().backward()
    kernel.grad = by_hand[0].weight.grad.reshape(6, -1)
    muon.step()
    adamw.step()
    torch.testing.assert_close(after["0.weight"].reshape(6, -1), kernel.detach())
    torch.testing.assert_close(after["3.weight"], matrix.detach())
    torch.testing.assert_close(after["4.weight"], by_hand[4].weight.detach())
    torch.testing.assert_close(after["1.bias"], by_hand[1].bias.detach())


def test_the_schedule_reaches_both_and_the_state_comes_back() -> None:
    net = small_net()
    optimizer = make_optimizer(list(net.parameters()), SETTINGS, bf16=True)
    assert isinstance(optimizer, MuonAndAdamW)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(net.state_dict())
    net(torch.ones(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in net.named_parameters())
    other = make_optimizer(list(small_net().parameters()), SETTINGS, bf16=True)
    other.load_state_dict(optimizer.state_dict())
    assert [group["lr"] for group in other.param_groups] == [0.0, 0.0]
    momenta = optimizer.state_dict()["muon"]["state"], other.state_dict()["muon"]["state"]
    assert torch.equal(momenta[0][0]["momentum_buffer"], momenta[1][0]["momentum_buffer"])


@pytest.mark.parametrize("shape", [(6, 27), (27, 6), (5, 5)])
def test_in_float32_it_is_torchs_own_step_less_the_rounding_of_bf16(
    shape: tuple[int, int],
) -> None:
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(shape, generator=generator)
    gradients = [torch.randn(shape, generator=generator) for _ in range(3)]
    ends = []
    for muon in (torch.optim.Muon, FullPrecisionMuon):
        matrix = nn.Parameter(start.clone())
        optimizer = muon([matrix], lr=0.1, weight_decay=0.3, momentum=0.8)
        for gradient in gradients:
            matrix.grad = gradient
            optimizer.step()
        ends.append(matrix.detach())
    moved_by = (ends[0] - start).abs().mean()
    assert (ends[0] - ends[1]).abs().mean() < 0.02 * moved_by


def test_orthogonalising_brings_singular_values_near_one_and_keeps_their_directions() -> None:
    left, _ = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(3)))
    values = torch.tensor([9.0, 5.0, 3.0, 2.0, 1.0, 1.0, 0.5, 0.3])
    matrix = (left * values) @ left.T
    near = orthogonalized(matrix, coefficients=(3.4445, -4.7750, 2.0315), steps=5, eps=1e-7)
    inside = left.T @ near @ left
    assert bool(((inside.diagonal() > 0.5) & (inside.diagonal() < 1.5)).all())
    assert float((inside - torch.diag(inside.diagonal())).abs().max()) < 1e-4


def test_a_training_in_float32_multiplies_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    multiply = torch.addmm

    def seen(*tensors: Tensor, **factors: float) -> Tensor:
        kinds.append(tensors[0].dtype)
        return multiply(*tensors, **factors)

    monkeypatch.setattr(torch, "addmm", seen)
    moved(small_net(), steps=1, bf16=False)
    assert set(kinds) == {torch.float32}
