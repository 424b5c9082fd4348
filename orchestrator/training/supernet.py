"""The supernet of KDL-DARTS, section III-A: every stage of the encoder with all depths.

The candidates of a stage are its first 1..5 bottlenecks. They share their prefixes, so the output
after every block is kept, and the mixed layer is the weighted sum of these outputs, eq. (13). The
outer residual of eq. (14) cannot cross a stride and is omitted.

Shape legend: B batch, S image size, D feature width, L stages, K depths.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.architecture import MAX_DEPTH, Depths, EncoderArchitecture, stage_parameters
from semcom.nn.blocks import Bottleneck
from transmitters.encoder import SemanticEncoder

DEPTHS = range(1, MAX_DEPTH + 1)


class Supernet(nn.Module):
    """The encoder with mixed stages and a task head; `alpha_LK` are the architecture weights."""

    def __init__(
        self, architecture: EncoderArchitecture, *, classes: int, temperature: float
    ) -> None:
        super().__init__()
        deepest = architecture.model_copy(update={"depths": (MAX_DEPTH,) * 4})
        self.encoder = SemanticEncoder(deepest)
        _start_as_shortcuts(self.encoder)
        self.head = nn.Linear(architecture.feature_dim, classes)
        self.alpha_LK = nn.Parameter(torch.zeros(len(self.encoder.stages), MAX_DEPTH))
        self._temperature = temperature

    def probabilities(self) -> Tensor:
        """softmax(alpha / T_alpha) per stage."""
        return torch.softmax(self.alpha_LK / self._temperature, dim=1)

    def forward(self, images_B3SS: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared images -> features h (B, D) and logits (B, T)."""
        x = self.encoder.stem(images_B3SS)
        for stage, weights_K in zip(self.encoder.stages, self.probabilities(), strict=True):
            assert isinstance(stage, nn.Sequential)
            x = _mixed(stage, x, weights_K)
        features_BD: Tensor = self.encoder.pool(x)
        return features_BD, self.head(features_BD)

    def weights(self) -> list[nn.Parameter]:
        """Return all parameters but alpha."""
        return [*self.encoder.parameters(), *self.head.parameters()]


def _start_as_shortcuts(encoder: SemanticEncoder) -> None:
    """Initialise every bottleneck as its shortcut, as in CLIP's ResNets.

    So all candidates of a stage start equal. With the usual initialisation, every further block
    would add noise at first, and alpha would discard it before it has learnt anything.
    """
    for block in encoder.modules():
        if isinstance(block, Bottleneck):
            nn.init.zeros_(block.bn3.weight)


def _mixed(stage: nn.Sequential, x: Tensor, weights_K: Tensor) -> Tensor:
    """Return the weighted sum of the outputs after each block."""
    mixed: Tensor | None = None
    for block, weight in zip(stage, weights_K, strict=True):
        x = block(x)
        term = weight.to(x.dtype) * x
        mixed = term if mixed is None else mixed + term
    assert mixed is not None
    return mixed


def penalty_factors(architecture: EncoderArchitecture, temperature: float) -> Tensor:
    """beta = softmax(count / largest count of the stage / T_beta), eq. (17)."""
    counts_LK = torch.tensor(stage_parameters(architecture), dtype=torch.float64)
    shares_LK = counts_LK / counts_LK.max(dim=1, keepdim=True).values
    return torch.softmax(shares_LK / temperature, dim=1).float()


def select_depths(score_LK: Tensor) -> Depths:
    """Return the depth with the highest score per stage; ties go to fewer parameters."""
    first, second, third, fourth = (_first_best(row) for row in score_LK.tolist())
    return first, second, third, fourth


def _first_best(scores: list[float]) -> int:
    """Return the first depth 1..5 with the highest score (argmax guarantees no order for ties)."""
    return scores.index(max(scores)) + 1
