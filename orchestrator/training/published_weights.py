"""Published weights of timm's models that `semcom weights` fetches, without timm's hub.

Their files list the same layers in the same order as timm's model, under other names.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from semcom.errors import ConfigurationError
from semcom.plain_text import command

PublishedName = Literal["efficientnet-lite2"]
NAMES: tuple[PublishedName, ...] = get_args(PublishedName)
MODEL_OF: Mapping[PublishedName, str] = {"efficientnet-lite2": "tf_efficientnet_lite2"}


def check_published(
    pretrained: bool | PublishedName, *, model: str | None, weights: Path | None
) -> None:
    """See that published weights are of a teacher's model, and the only ones that it starts from.

    Raises:
        ValueError: they are not.
    """
    if isinstance(pretrained, bool):
        return
    wanted = MODEL_OF[pretrained]
    if model is not None and model != wanted:
        raise ValueError(f"pretrained: {pretrained} has weights of {wanted}, not of {model}")
    if weights is not None:
        raise ValueError("weights: the teacher starts from teacher.pretrained; leave out one")


def published_file(name: PublishedName, data_dir: Path) -> Path:
    """Return the file of published weights beside the data sets.

    Raises:
        ConfigurationError: it is not there; the line says how to fetch it.
    """
    path = data_dir / "weights" / name / f"{name}.pth"
    if not path.is_file():
        fetch = command("semcom", "weights", name, "--data", data_dir)
        raise ConfigurationError(
            f"teacher.pretrained: no weights of {name} at {path}; fetch them with: {fetch}"
        )
    return path


def load_in_order(network: nn.Module, path: Path, name: str) -> None:
    """Fill a network, called `name` in messages, from a file that lists its layers in order.

    Raises:
        ConfigurationError: the file cannot be read, or holds another network.
    """
    try:
        stored: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{path} is damaged: {reason}") from error
    wanted = network.state_dict()
    same = len(stored) == len(wanted) and all(
        a.shape == b.shape for a, b in zip(stored.values(), wanted.values(), strict=True)
    )
    if not same:
        raise ConfigurationError(f"{path} has other layers than {name}")
    network.load_state_dict(dict(zip(wanted, stored.values(), strict=True)))


def load_published(encoder: nn.Module, model: str, path: Path) -> None:
    """Fill an encoder of timm, but not its last layer, whose width is that of the feature.

    Raises:
        ConfigurationError: as `load_in_order`.
    """
    import timm  # noqa: PLC0415 - optional

    whole: nn.Module = timm.create_model(model, pretrained=False)
    load_in_order(whole, path, model)
    last = str(whole.default_cfg["classifier"])  # type: ignore[index]
    published = {
        name: tensor
        for name, tensor in whole.state_dict().items()
        if not name.startswith(f"{last}.")
    }
    own = {name: tensor for name, tensor in encoder.state_dict().items() if name not in published}
    encoder.load_state_dict(published | own)
