"""The teacher: an encoder of the project's own or of timm, with its own task head.

Shape legend: B batch, S image size, D feature width, T classes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from orchestrator.training.settings import TeacherSettings
from semcom.architecture import TimmEncoderArchitecture
from semcom.errors import CheckpointError, ConfigurationError
from transmitters.codec import make_encoder
from transmitters.conv_encoder import ConvEncoder


class Teacher(nn.Module):
    """Encoder -> feature h_T (B, D) -> linear head on the rectified feature (B, T)."""

    def __init__(self, settings: TeacherSettings, *, classes: int) -> None:
        super().__init__()
        self.encoder = make_teacher_encoder(settings)
        self.head = nn.Linear(settings.encoder.feature_dim, classes)

    def forward(self, images_B3SS: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared images -> (features h_T (B, D), logits (B, T))."""
        features_BD: Tensor = self.encoder(images_B3SS)
        logits_BT: Tensor = self.head(F.relu(features_BD))
        return features_BD, logits_BT


def make_teacher_encoder(settings: TeacherSettings) -> nn.Module:
    """The encoder as it starts: drawn, or with timm's weights.

    Raises:
        ConfigurationError: timm is not installed, or knows no such model.
        CheckpointError: the file of weights is missing or holds another model.
    """
    if isinstance(settings.encoder, TimmEncoderArchitecture):
        weights = settings.weights
        return timm_encoder(settings.encoder, weights, pretrained=settings.pretrained)
    encoder = make_encoder(settings.encoder)
    if settings.identity_init and isinstance(encoder, ConvEncoder):
        encoder.start_as_identity()
    return encoder


def timm_encoder(
    architecture: TimmEncoderArchitecture, weights: Path | None, *, pretrained: bool
) -> nn.Module:
    """A model of timm whose output is the feature (B, D); CLIP's own projection where it has one.

    `weights` is a local file in any layout that timm converts, OpenAI's CLIP included; without
    it, `pretrained` takes the weights of timm's hub.
    """
    try:
        import timm  # noqa: PLC0415 - only this kind of teacher needs it
    except ImportError as error:
        raise ConfigurationError(
            f"teacher '{architecture.model}' needs timm: pip install 'rkd-sc[training]'"
        ) from error
    if weights is not None and not weights.exists():
        raise CheckpointError(f"no file of weights at {weights}")
    if not timm.is_model(architecture.model.split(".")[0]):
        raise ConfigurationError(f"timm knows no model '{architecture.model}'")
    published = timm.get_pretrained_cfg(architecture.model)
    sizes = {"img_size": architecture.input.size} if published.fixed_input_size else {}

    def create(*, pretrained: bool) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            model: nn.Module = timm.create_model(
                architecture.model,
                pretrained=pretrained,
                pretrained_cfg_overlay=None if weights is None else {"file": str(weights)},
                num_classes=architecture.feature_dim,
                **sizes,
            )
        return model

    try:
        encoder = create(pretrained=pretrained or weights is not None)
    except (RuntimeError, KeyError, OSError, SafetensorError) as error:
        where = weights or "timm's hub"
        raise CheckpointError(
            f"weights of '{architecture.model}' from {where}: {str(error).splitlines()[0]}"
        ) from error
    if weights is not None:
        _check_all_loaded(create(pretrained=False), encoder, weights)
    return encoder


def _check_all_loaded(drawn: nn.Module, loaded: nn.Module, weights: Path) -> None:
    """timm passes over what a file lacks; a matrix that is as it was drawn was not in the file.

    The last layer may be: a model whose classes are not the feature width gets a new one.
    """
    last = drawn.get_classifier().weight.shape  # type: ignore[operator]
    before = dict(drawn.named_parameters())
    for name, parameter in loaded.named_parameters():
        if parameter.ndim > 1 and parameter.shape != last and torch.equal(parameter, before[name]):
            raise CheckpointError(f"{weights} has no weights for '{name}': another model's file?")
