"""The optimisers of stages, each with weight decay on matrices and kernels only.

Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon) orthogonalises the momentum of
a matrix; torch's version takes matrices only. Here a kernel is treated as the matrix (outputs,
inputs x height x width), and AdamW updates vectors: biases, normalisations, the SNR code.

torch's version multiplies in bf16, which processors without bf16 emulate forty times slower than
float32. On these, and in trainings in float32, float32 is used.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from orchestrator.training.settings import StageSettings

VECTOR_LR_SHARE = 0.1


class Optimizer(Protocol):
    """The interface of an optimiser for the loop."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups whose `lr` the schedule sets; a group with an `lr_share` gets that share of it."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""

    def step(self) -> Any:
        """Update the parameters."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which to resume."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state."""


class FullPrecisionMuon(torch.optim.Muon):
    """torch's Muon with its Newton-Schulz iteration in the type of the matrices."""

    def __init__(
        self, matrices: list[nn.Parameter], *, lr: float, weight_decay: float, momentum: float
    ) -> None:
        super().__init__(matrices, lr=lr, weight_decay=weight_decay, momentum=momentum)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """w <- (1 - lr decay) w - lr sqrt(max(1, rows / columns)) NS(Nesterov momentum)."""
        del closure
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                gradient = matrix.grad
                if gradient is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(gradient)
                mean = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
                update = orthogonalized(
                    gradient.lerp(mean, momentum),
                    coefficients=group["ns_coefficients"],
                    steps=group["ns_steps"],
                    eps=group["eps"],
                )
                rows, columns = matrix.shape
                matrix.mul_(1 - lr * group["weight_decay"])
                matrix.add_(update, alpha=-lr * math.sqrt(max(1.0, rows / columns)))


def orthogonalized(
    matrix: Tensor, *, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return a matrix with singular values moved close to 1 by quintic Newton-Schulz steps."""
    a, b, c = coefficients
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=eps)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide


class MuonAndAdamW:
    """Muon for matrices and kernels, AdamW at a tenth of its rate for the rest."""

    def __init__(
        self, parameters: list[nn.Parameter], settings: StageSettings, *, bf16: bool
    ) -> None:
        self._matrices = [p for p in parameters if _is_matrix(p)]
        rest = [p for p in parameters if not _is_matrix(p)]
        # Separate parameters on the same storage, so that Muon updates the model.
        self._views = [nn.Parameter(_as_matrix(p.detach(), like=p)) for p in self._matrices]
        for parameter, view in zip(self._matrices, self._views, strict=True):
            if parameter.data_ptr() != view.data_ptr():
                raise ValueError(f"a parameter of shape {tuple(parameter.shape)} is not dense")
        muon = torch.optim.Muon if bf16 else FullPrecisionMuon
        self._muon = muon(
            self._views,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
        )
        vectors = {"params": rest, "lr_share": VECTOR_LR_SHARE}
        self._adamw = torch.optim.AdamW(
            [vectors], lr=settings.lr * VECTOR_LR_SHARE, weight_decay=0.0, fused=True
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Return the groups of both."""
        groups: list[dict[str, Any]] = [*self._muon.param_groups, *self._adamw.param_groups]
        return groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of the model and of the views."""
        for parameter in self._matrices:
            parameter.grad = None
        self._muon.zero_grad(set_to_none)
        self._adamw.zero_grad(set_to_none)

    def step(self) -> None:
        """Apply Muon to matrices and AdamW to the rest."""
        for parameter, view in zip(self._matrices, self._views, strict=True):
            gradient = parameter.grad
            view.grad = None if gradient is None else _as_matrix(gradient, like=parameter)
        self._muon.step()  # type: ignore[no-untyped-call]
        self._adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """Return both states."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both states."""
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])


def make_optimizer(
    parameters: list[nn.Parameter], settings: StageSettings, *, bf16: bool
) -> Optimizer:
    """Return the optimiser in a stage's settings for its trained parameters.

    `bf16`: whether the training multiplies in bf16.
    """
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    match settings.optimizer:
        case "muon":
            return MuonAndAdamW(parameters, settings, bf16=bf16)
        case "sgd":
            return torch.optim.SGD(
                groups,
                lr=settings.lr,
                momentum=settings.momentum,
                nesterov=settings.momentum > 0,
                fused=True,
            )
        case "adam":
            return torch.optim.Adam(groups, lr=settings.lr, betas=betas, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=settings.lr, betas=betas, fused=True)


def _is_matrix(parameter: Tensor) -> bool:
    """Return whether it has several rows and several columns."""
    return parameter.ndim > 1 and 1 < len(parameter) < parameter.numel()


def _as_matrix(tensor: Tensor, *, like: Tensor) -> Tensor:
    """Return (outputs, everything else) in the memory order of `like`."""
    if like.ndim == 4 and not like.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 1)  # channels last
    return tensor.reshape(len(tensor), -1)
