"""Encoders of timm, as CLIP's ViT-B/16: the paper's teacher, and its JSCC-teacher's encoder."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from torch import nn

from semcom.architecture import TimmEncoderArchitecture
from semcom.errors import ConfigurationError


def make_timm_encoder(
    architecture: TimmEncoderArchitecture, *, pretrained: bool = False, weights: Path | None = None
) -> nn.Module:
    """A model of timm whose output is the feature (B, D); CLIP's own projection where it has one.

    With `pretrained` its weights are those of the file `weights`, or of timm's hub.

    Raises:
        ConfigurationError: timm knows no such model.
    """
    if not timm.is_model(architecture.model.split(".")[0]):
        raise ConfigurationError(f"timm knows no model '{architecture.model}'")
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
