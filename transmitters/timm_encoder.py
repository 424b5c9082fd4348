"""Encoders from timm, such as CLIP's ViT-B/16, the paper's teacher."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from timm.layers import DropPath
from torch import nn

from semcom.architecture import TimmEncoderArchitecture
from semcom.errors import ConfigurationError


def make_timm_encoder(
    architecture: TimmEncoderArchitecture, *, pretrained: bool = False, weights: Path | None = None
) -> nn.Module:
    """Return a timm model whose output is the feature (B, D); CLIP models keep their projection.

    With `pretrained` its weights are those of the file `weights`, or of timm's hub.

    Raises:
        ConfigurationError: timm has no such model, or cannot build it for this size.
    """
    if not timm.is_model(architecture.model.split(".")[0]):
        raise ConfigurationError(f"timm has no model '{architecture.model}'")
    try:
        model = _created(architecture, pretrained=pretrained, weights=weights)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"timm cannot build '{architecture.model}': {reason}") from error
    _leave_nothing_out(model)
    return model


def _created(
    architecture: TimmEncoderArchitecture, *, pretrained: bool, weights: Path | None
) -> nn.Module:
    published = timm.get_pretrained_cfg(architecture.model)
    fixed = published is not None and published.fixed_input_size
    with torch.random.fork_rng(devices=[]):
        model: nn.Module = timm.create_model(
            architecture.model,
            pretrained=pretrained,
            pretrained_cfg_overlay=None if weights is None else {"file": str(weights)},
            num_classes=architecture.feature_dim,
            **({"img_size": architecture.input.size} if fixed else {}),
        )
    return model


def _leave_nothing_out(model: nn.Module) -> None:
    """Disable dropout and stochastic depth, so that a step depends only on its images."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.drop_prob = 0.0
