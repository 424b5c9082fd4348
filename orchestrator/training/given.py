"""What a job takes from a codec that is there already, instead of training it.

With `teacher.codec` the student of that codec teaches; with `start`, stage 2 begins at the codec's
student and task head. With both a codec is tuned to another compression ratio, SNR or channel and
needs no other teacher: what is received follows the student's own noise-free feature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from orchestrator.training.settings import StageName, TrainingSettings
from receiver.codec import ReceiverCodec
from receiver.heads import ClassificationHead
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError
from transmitters.codec import TransmitterCodec

Fields = dict[str, Any]


def giving_codec(name: StageName, settings: TrainingSettings) -> Path | None:
    """Folder of the codec that has a stage's result; None where the stage is trained."""
    match name:
        case "teacher":
            return settings.teacher.codec
        case "stage1" | "head":
            return settings.start
        case _:
            return None


def given_student(folder: Path) -> tuple[nn.Module, ClassificationHead]:
    """A codec's semantic encoder and task head.

    Raises:
        CheckpointError: the codec is missing, damaged, or its weights do not fit.
    """
    codec = open_checkpoint(folder)
    return TransmitterCodec.load(codec).encoder, ReceiverCodec.load(codec).head


def given_digest(folder: Path) -> str:
    """A codec's digest.

    Raises:
        CheckpointError: the codec is missing or its manifest not valid.
    """
    return open_checkpoint(folder).digest


def lay_given_encoders(merged: Fields, asked: Fields, *, classes: int) -> None:
    """Write into `merged` settings the encoders of the codecs that they name.

    `asked` are the settings that were laid over the preset.

    Raises:
        CheckpointError: a codec is missing or its manifest not valid.
        ConfigurationError: it is no student's, is for another number of `classes`, or its encoder
            was asked to be another one.
    """
    for key, where, owner in (
        ("codec", "teacher", merged["teacher"]),
        ("start", "architecture", merged),
    ):
        folder = owner.get(key)
        if not isinstance(folder, str | Path):
            continue  # none, or not valid
        name = "teacher.codec" if key == "codec" else "start"
        if "encoder" in (asked.get(where) or {}):
            raise ConfigurationError(f"{where}.encoder: {name} has an encoder of its own")
        merged[where]["encoder"] = _encoder_of(Path(folder), name, classes)


def _encoder_of(folder: Path, name: str, classes: int) -> Fields:
    architecture = open_checkpoint(folder).manifest.architecture
    if architecture.channel.system != "rkd-sc":
        raise ConfigurationError(
            f"{name}: {folder} is of {architecture.channel.system}; it takes one of rkd-sc"
        )
    if architecture.classes != classes:
        raise ConfigurationError(
            f"{name}: {folder} tells {architecture.classes} classes, the data set has {classes}"
        )
    return architecture.encoder.model_dump()
