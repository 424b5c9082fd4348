"""The teacher: an encoder of this project, of timm or of a codec, with its own task head.

Shape legend: B batch, S image size, D feature width, T classes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from orchestrator.training.given_codecs import given_student
from orchestrator.training.published_weights import load_published
from orchestrator.training.settings import TeacherSettings
from semcom.architecture import ConvEncoderArchitecture, TimmEncoderArchitecture
from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError, ConfigurationError
from transmitters.codec import make_encoder
from transmitters.conv_encoder import ConvEncoder


class Teacher(nn.Module):
    """Encoder -> feature h_T (B, D) -> linear head (B, T).

    The head gets the rectified feature of the compact teacher's encoder, and the plain feature of
    any other. With a `codec`, both are taken from it.
    """

    def __init__(
        self,
        settings: TeacherSettings,
        *,
        classes: int,
        codec: Checkpoint | None = None,
        published: Path | None = None,
    ) -> None:
        """Build it; `published` is the file of the weights that `pretrained` names."""
        super().__init__()
        self.encoder = make_teacher_encoder(settings, published)
        self.head = nn.Linear(settings.encoder.feature_dim, classes)
        self._rectifies = isinstance(settings.encoder, ConvEncoderArchitecture)
        if codec is not None:
            encoder, head = given_student(codec)
            self.encoder.load_state_dict(encoder.state_dict())
            if head.linear.out_features == classes:  # there is no head for another data set
                self.head.load_state_dict(head.linear.state_dict())

    def forward(self, images_B3SS: Tensor) -> tuple[Tensor, Tensor]:
        """Prepared images -> (features h_T (B, D), logits (B, T))."""
        features_BD: Tensor = self.encoder(images_B3SS)
        logits_BT: Tensor = self.head(F.relu(features_BD) if self._rectifies else features_BD)
        return features_BD, logits_BT


def make_teacher_encoder(settings: TeacherSettings, published: Path | None = None) -> nn.Module:
    """The encoder as it starts: drawn, or with timm's weights, or those of a `published` file.

    Raises:
        ConfigurationError: timm is not installed, has no such model, or a frozen model has no
            feature of this width.
        CheckpointError: the file of weights is missing or holds another model.
    """
    if isinstance(settings.encoder, TimmEncoderArchitecture):
        if published is not None:
            encoder = make_encoder(settings.encoder)  # says what is missing
            load_published(encoder, settings.encoder.model, published)
            return encoder
        return _timm_teacher(settings, settings.encoder)
    encoder = make_encoder(settings.encoder)
    if settings.identity_init and isinstance(encoder, ConvEncoder):
        encoder.start_as_identity()
    return encoder


def _timm_teacher(settings: TeacherSettings, architecture: TimmEncoderArchitecture) -> nn.Module:
    starts_trained = settings.pretrained or settings.weights is not None
    if starts_trained and not settings.fine_tune and not ends_in_feature(architecture):
        raise ConfigurationError(
            f"teacher.encoder.model: '{architecture.model}' has no output of "
            f"{architecture.feature_dim} numbers, and the added projection layer would stay as "
            "initialised; set teacher.fine_tune=true"
        )
    return timm_encoder(architecture, settings.weights, pretrained=bool(settings.pretrained))


def ends_in_feature(architecture: TimmEncoderArchitecture) -> bool:
    """Return whether the published model has an output of the feature's width, as CLIP has.

    In any other one, the last layer is initialised randomly.

    Raises:
        ConfigurationError: timm is not installed, or has no such model.
    """
    with torch.device("meta"):
        make_encoder(architecture)  # says what is missing
    import timm  # noqa: PLC0415 - optional

    published = timm.get_pretrained_cfg(architecture.model)
    return published is not None and published.num_classes == architecture.feature_dim


def timm_encoder(
    architecture: TimmEncoderArchitecture, weights: Path | None, *, pretrained: bool
) -> nn.Module:
    """Return a model of timm with its published weights, those of a local file, or random ones.

    `weights` is a file in any layout that timm converts, including OpenAI's CLIP; without it,
    `pretrained` uses the weights of timm's hub.
    """
    drawn = make_encoder(architecture)  # says what is missing
    if weights is None and not pretrained:
        return drawn
    from transmitters.timm_encoder import make_timm_encoder  # noqa: PLC0415 - needs timm

    if weights is not None and not weights.exists():
        raise CheckpointError(f"no file of weights at {weights}")
    try:
        encoder = make_timm_encoder(architecture, pretrained=True, weights=weights)
    except (RuntimeError, KeyError, OSError, SafetensorError) as error:
        where = weights or "timm's hub"
        raise CheckpointError(
            f"weights of '{architecture.model}' from {where}: {str(error).splitlines()[0]}"
        ) from error
    if weights is not None:
        _check_all_loaded(drawn, encoder, weights)
    return encoder


def _check_all_loaded(drawn: nn.Module, loaded: nn.Module, weights: Path) -> None:
    """Check that the file had all matrices: timm skips missing ones, which stay as initialised.

    The last layer may be missing: a model whose number of classes is not the feature width gets a
    new one.
    """
    last = drawn.get_classifier().weight.shape  # type: ignore[operator]
    before = dict(drawn.named_parameters())
    for name, parameter in loaded.named_parameters():
        if parameter.ndim > 1 and parameter.shape != last and torch.equal(parameter, before[name]):
            raise CheckpointError(
                f"{weights} has no weights for '{name}': is it the file of another model?"
            )
